// Tables.

/** A table with more rows draws those in sight only … */
const WINDOW_ROWS_MIN = 80;
/** … and this many on either side. */
const WINDOW_ROWS_SPARE = 12;

/** How the user left each table, by its id: there are as many as the code names. */
const left = new Map();

/**
 * A field of a row, for columns and facts alike: its head, its kind (see the sheet), the way to
 * its value, such as `metrics.state`, and how that is shown.
 */
function field(head, kind, path, show = text, sorts = (value) => value) {
  const keys = path.split(".");
  const value = (row) => keys.reduce((of, key) => of?.[key], row);
  return { head, kind, value: (row) => sorts(value(row)), show: (row) => show(value(row), row) };
}
const plain = (head, path, kind = "") => field(head, kind, path);
const long = (head, path, kind = "wide") => field(head, kind, path, (value) => text(value, value));
const count = (head, path) => field(head, "num small", path, number);
const rate = (head, path) => field(head, "num", path, speed);
const delay = (head, path) => field(head, "num", path, millis);
const length = (head, path) => field(head, "num", path, span);
const yesNo = (head, path) => field(head, "", path, yes);
const state = (head, path) => field(head, "state", path, badge, severity);
const since = (head, path) =>
  field(head, "", path, time, (iso) => (is(iso) ? Date.parse(iso) : null));
const moment = (head, path) => field(head, "name", path, exactly);
const tagged = (head, path) => field(head, "name", path, tags, (map) => pairs(map).join(" "));
const url = (head, path) => field(head, "wide", path, address);
const link = (head, kind, path = `${kind}_id`) =>
  field(head, "name", path, (id) => linkTo(kind, id));

/** Numbers by size, the rest as people sort names. */
const compare = (a, b) => (typeof a === "number" ? a - b : ORDER.compare(a, b));

/**
 * A table that sorts, filters and keeps its rows. `rows` gives them, each known by its `ref`;
 * `searched` the text of one that the filter looks through, and without it there is no filter;
 * `sorted` is the head of the column that sorts at first.
 */
class Table {
  constructor({ id, title, columns, rows, searched, empty, sorted }) {
    Object.assign(this, { title, columns, rows, searched, empty });
    if (!left.has(id)) left.set(id, { filter: "", sorted, down: false, top: 0 });
    this.state = left.get(id);
    this.shown = [];
    this.drawn = new Map();
    this.height = 32;
    this.build(title);
  }

  build(title) {
    const heads = this.columns.map((column) => this.head(column));
    const cols = this.columns.map((column) => element("col", { class: column.kind || null }));
    this.above = this.spacer();
    this.below = this.spacer();
    this.body = element("tbody", {}, this.above, this.below);
    this.table = element("table", {},
      element("caption", { class: "hidden" }, title),
      element("colgroup", {}, ...cols),
      element("thead", {}, element("tr", {}, ...heads)), this.body);
    this.region = element("div",
      { class: "region", role: "region", "aria-label": title, tabindex: 0 }, this.table);
    this.region.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.nothing = element("p", { class: "empty panel" });
    this.element = element("div", { class: "block" }, this.nothing, this.region);
    if (this.searched) this.element.prepend(this.tools(title));
  }

  tools(title) {
    const input = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
    input.value = this.state.filter;
    input.addEventListener("input", () => {
      this.state.filter = input.value;
      this.region.scrollTop = 0;
      this.update();
    });
    this.counted = element("p", { "aria-live": "polite" });
    const label = element("label", {}, "Filter", input);
    return element("div", { class: "tools", role: "search", "aria-label": title },
      label, this.counted);
  }

  head(column) {
    const button = element("button", { type: "button", title: column.head }, column.head);
    const cell = element("th", { scope: "col", class: column.kind || null }, button);
    button.addEventListener("click", () => {
      const same = this.state.sorted === column.head;
      // Of numbers the largest matter.
      this.state.down = same ? !this.state.down : column.kind.startsWith("num");
      this.state.sorted = column.head;
      this.update();
    });
    return cell;
  }

  /** Stands for the rows that are not drawn. */
  spacer() {
    const cell = element("td", { colspan: this.columns.length });
    return element("tr", { class: "spacer", "aria-hidden": "true" }, cell);
  }

  update() {
    const all = this.rows();
    const filter = this.state.filter.trim().toLowerCase();
    const kept = this.searched && filter
      ? all.filter((row) => this.searched(row).toLowerCase().includes(filter)) : all;
    this.shown = this.sort(kept);
    this.columns.forEach((column, at) => {
      const sorts = column.head === this.state.sorted;
      const way = this.state.down ? "descending" : "ascending";
      const head = this.table.tHead.rows[0].cells[at];
      setAttribute(head, "aria-sort", sorts ? way : "none");
    });
    setAttribute(this.table, "aria-rowcount", kept.length + 1);
    this.region.hidden = kept.length === 0;
    this.nothing.hidden = kept.length > 0;
    setText(this.nothing, all.length ? "No row has this text." : this.empty);
    if (this.counted) {
      setText(this.counted, `${WHOLE.format(kept.length)} of ${WHOLE.format(all.length)}`);
    }
    this.draw(true);
  }

  /** Rows without a value come last whichever way it goes; the order never depends on chance. */
  sort(rows) {
    const by = this.columns.find((column) => column.head === this.state.sorted);
    const way = this.state.down ? -1 : 1;
    const valued = rows.map((row) => [by ? by.value(row) : null, row]);
    valued.sort(([a, one], [b, other]) => {
      if (is(a) !== is(b)) return is(a) ? -1 : 1;
      return (is(a) && way * compare(a, b)) || ORDER.compare(one.ref, other.ref);
    });
    return valued.map(([, row]) => row);
  }

  scrolled() {
    this.state.top = this.region.scrollTop;
    this.draw(false);
  }

  /** Where the user left it, once it is in the document. */
  restore() {
    this.region.scrollTop = this.state.top;
    this.draw(false);
  }

  /** First and last row to draw. */
  window() {
    const all = this.shown.length;
    if (all < WINDOW_ROWS_MIN) return [0, all];
    const { scrollTop, clientHeight } = this.region;
    const first = Math.floor(scrollTop / this.height) - WINDOW_ROWS_SPARE;
    const last = Math.ceil((scrollTop + clientHeight) / this.height) + WINDOW_ROWS_SPARE;
    const from = Math.max(0, Math.min(first, all - WINDOW_ROWS_MIN));
    return [from, Math.min(all, last)];
  }

  /** Draws the rows in sight; those that are there already are filled only with `anew`. */
  draw(anew) {
    const focused = document.activeElement;
    const [from, to] = this.window();
    const wanted = new Map(this.shown.slice(from, to).map((row) => [row.ref, row]));
    for (const [key, row] of this.drawn) {
      if (wanted.has(key)) continue;
      row.remove();
      this.drawn.delete(key);
    }
    const lines = Array.from(wanted, ([key, row], at) => {
      const known = this.drawn.get(key);
      const line = known ?? this.line(key);
      setAttribute(line, "aria-rowindex", from + at + 2);
      if (anew || !known) {
        this.columns.forEach((column, at) => fill(line.children[at], column.show(row)));
      }
      return line;
    });
    arrange(this.body, lines, this.above.nextSibling);
    this.stretch(this.above, from);
    this.stretch(this.below, this.shown.length - to);
    this.keepFocus(focused);
    if (anew) this.measure();
  }

  line(key) {
    const cells = this.columns.map(({ kind }, at) => at === 0
      ? element("th", { scope: "row" })
      : element("td", { class: kind.startsWith("num") ? "num" : null }));
    const line = element("tr", {}, ...cells);
    this.drawn.set(key, line);
    return line;
  }

  stretch(spacer, rows) {
    spacer.hidden = rows === 0;
    spacer.style.height = `${rows * this.height}px`;
  }

  /** A row that was moved loses the focus; one that went leaves it to the table. */
  keepFocus(focused) {
    if (focused === document.activeElement || focused === document.body) return;
    const heir = focused.isConnected ? focused : this.region;
    heir.focus({ preventScroll: true });
  }

  /** The height of a row is the sheet's, and the user's who enlarges text. */
  measure() {
    const height = this.above.nextElementSibling.offsetHeight;
    if (this.shown.length === 0 || height === 0 || height === this.height) return;
    this.height = height;
    this.draw(false);
  }
}
