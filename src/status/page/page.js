// The local page. It asks the agent for its topics, keeps the newest picture of them, and shows
// one section at a time. What AWS says gets into the document as text and by attributes of our
// choice only; nothing here reads markup.
"use strict";

/** From one question to the next while the agent answers, milliseconds. */
const POLL_MS = 3000;
/** The longest wait while it does not. */
const POLL_AWAY_MS_MAX = 30000;
/** What an answer may take; the first of a thousand channels has megabytes. */
const ANSWER_MS_MAX = 20000;
/** Of the only timer: ages, and whether it is time to ask. */
const TICK_MS = 1000;
/** A clock is set again when it is off by more: the `Date` header knows whole seconds only. */
const CLOCK_MS_MAX = 1000;
/** A table with more rows draws those in sight only … */
const WINDOW_ROWS_MIN = 80;
/** … and this many on either side. */
const WINDOW_ROWS_SPARE = 12;

/* ---- Elements --------------------------------------------------------------------------- */

const SVG = "http://www.w3.org/2000/svg";
/** The attributes that what is shown may have. */
const ATTRIBUTES = ["class", "title", "href", "rel", "datetime"];

const byId = (id) => document.getElementById(id);

/** A new element; attributes that are null or undefined are left out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(made, name, value);
  made.append(...children);
  return made;
}

function setAttribute(node, name, value) {
  if (value === null || value === undefined) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function setText(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/**
 * Makes the children of `holder` what is to be shown: `[tag, words, attributes]`, or a list of
 * them. Only what differs is touched, so that focus and selection stay.
 */
function fill(holder, shown) {
  const all = typeof shown[0] === "string" ? [shown] : shown;
  all.forEach(([tag, words, attributes = {}], at) => {
    let child = holder.children[at];
    if (child?.localName !== tag) {
      const made = document.createElement(tag);
      if (child) child.replaceWith(made);
      else holder.append(made);
      child = made;
    }
    setText(child, words);
    for (const name of ATTRIBUTES) setAttribute(child, name, attributes[name]);
  });
  while (holder.children.length > all.length) holder.lastElementChild.remove();
}

/** Puts nodes one after the other, the first at `place`; those that stand right stay untouched. */
function arrange(holder, nodes, place) {
  for (const node of nodes) {
    if (node === place) place = place.nextSibling;
    else holder.insertBefore(node, place);
  }
}

/* ---- Words and numbers ------------------------------------------------------------------ */

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, minimumSignificantDigits: 3 });
const TENTHS = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const MONEY = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const ORDER = new Intl.Collator("en", { numeric: true });

const NONE = ["span", "–", { title: "no value" }];
const is = (value) => value !== null && value !== undefined && value !== "";

const scaled = (value, step, units) => {
  let at = 0;
  for (; Math.abs(value) >= step && at + 1 < units.length; at += 1) value /= step;
  return `${(at ? SHORT : WHOLE).format(value)} ${units[at]}`;
};
const bits = (value) => scaled(value, 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
const bytes = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB"]);
const duration = (seconds) => {
  if (seconds < 120) return `${WHOLE.format(seconds)} s`;
  if (seconds < 7200) return `${WHOLE.format(Math.floor(seconds / 60))} min`;
  if (seconds < 172800) return `${WHOLE.format(Math.floor(seconds / 3600))} h`;
  return `${WHOLE.format(Math.floor(seconds / 86400))} d`;
};
/** `2026-11-29 20:53:07 UTC` */
const exact = (iso) => `${iso.slice(0, 19).replace("T", " ")} UTC`;
const age = (iso) => {
  const seconds = (clock.now() - Date.parse(iso)) / 1000;
  return seconds < -1 ? `in ${duration(-seconds)}` : `${duration(Math.max(0, seconds))} ago`;
};

/* What a cell shows, as `fill` takes it. */
const text = (value, title) => (is(value) ? ["span", String(value), { title }] : NONE);
const number = (value) => (is(value) ? text(WHOLE.format(value)) : NONE);
const speed = (value) => (is(value) ? text(bits(value), `${WHOLE.format(value)} bit/s`) : NONE);
const millis = (value) => (is(value) ? text(`${TENTHS.format(value)} ms`) : NONE);
const money = (value) => (is(value) ? text(MONEY.format(value), `${value} USD`) : NONE);
const span = (value) => (is(value) ? text(duration(value), `${WHOLE.format(value)} s`) : NONE);
const time = (iso) => (is(iso) ? ["time", age(iso), { datetime: iso, title: exact(iso) }] : NONE);
const exactly = (iso) => (is(iso) ? text(exact(iso)) : NONE);
const yes = (value) => (is(value) ? text(value ? "yes" : "no") : NONE);
const tag = (value) => ["span", value, { class: "tag" }];
const linkTo = (kind, id, words = id) =>
  is(id) ? ["a", words, { href: `#${kind}/${encodeURIComponent(id)}`, title: words }] : NONE;
const pairs = (map) => Object.entries(map ?? {}).map(([key, value]) => `${key}=${value}`);
const tags = (map) => some(pairs(map), tag);
const some = (list, show) => (list?.length ? list.map(show) : NONE);
const joined = (all) => text(all?.join(", "), all?.join(", "));

/** A link, but only where it leads to the web. */
const address = (url) => (/^https?:\/\//i.test(url)
  ? ["a", url, { href: url, rel: "noreferrer", title: url }] : text(url, url));

/** Worst first. */
const TONES = ["bad", "warn", "dim", "good"];
const TONE_OF = {
  critical: "bad", failing: "bad", lost: "bad", offline: "bad", gone: "bad", ALARM: "bad",
  unsubscribed: "bad", FAILED: "bad",
  warning: "warn", degraded: "warn", late: "warn", waiting: "warn", INSUFFICIENT_DATA: "warn",
  ok: "good", online: "good", receiving: "good", current: "good", confirmed: "good", OK: "good",
  SUCCEEDED: "good", COMPLETED: "good",
};
const tone = (word) => (Object.hasOwn(TONE_OF, word) ? TONE_OF[word] : "dim");
const badge = (word) =>
  is(word) ? ["span", word.replaceAll("_", " "), { class: `badge ${tone(word)}` }] : NONE;
const severity = (word) => (is(word) ? TONES.indexOf(tone(word)) + word : null);

/* ---- The agent's clock ------------------------------------------------------------------ */

/** Ages are held against the agent's clock: the browser's may be anything. */
const clock = {
  ahead: null,
  now() {
    return performance.now() + (this.ahead ?? performance.timeOrigin);
  },
  /** From the `Date` of an answer, whose second is half over on average. */
  learn(date) {
    const heard = Date.parse(date) + 500;
    const off = Math.abs(heard - this.now());
    if (off > CLOCK_MS_MAX || this.ahead === null) this.ahead = heard - performance.now();
  },
  iso() {
    return new Date(this.now()).toISOString();
  },
};

/* ---- The picture ------------------------------------------------------------------------ */

const MEMBER = new RegExp(
  "^(source|channel_group|channel|endpoint|packaging_group|packaging_configuration|harvest_job" +
    "|alarm|sns/subscription)/([^/]+)(/health|/metrics)?$",
);

/** The agent's topics: each by its name below the prefix, and those of a kind by their id. */
const picture = {
  tag: null,
  prefix: "",
  topics: new Map(),
  kinds: new Map(),
  /** Lays an answer over what is known, or puts it in its place. */
  take(answer) {
    if (answer.whole) {
      this.topics.clear();
      this.kinds.clear();
    }
    this.tag = answer.tag;
    this.prefix = answer.prefix;
    for (const [name, payload] of Object.entries(answer.topics)) {
      const short = name.slice(answer.prefix.length);
      this.topics.set(short, payload);
      const [, kind, level, part = ""] = MEMBER.exec(short) ?? [];
      if (kind) this.members(kind + part).set(payload.id ?? level, payload);
    }
  },
  members(kind) {
    if (!this.kinds.has(kind)) this.kinds.set(kind, new Map());
    return this.kinds.get(kind);
  },
  /** The payload of a topic, or an empty one. */
  one(name) {
    return this.topics.get(name) ?? {};
  },
  of(kind, id) {
    return this.members(kind).get(id) ?? {};
  },
};

/* ---- Parts of a view: each has an element, and brings it up to date --------------------- */

/** The fields of one row, as terms with what they are. */
function facts(title, fields, row) {
  const values = fields.map(() => element("dd"));
  const terms = fields.map(({ head, kind }, at) =>
    element("div", { class: kind === "wide" ? kind : null }, element("dt", {}, head), values[at]));
  const list = element("dl", { class: "facts" }, ...terms);
  const update = () => {
    const of = row();
    fields.forEach((field, at) => fill(values[at], field.show(of)));
  };
  return { element: element("section", { class: "panel" }, element("h3", {}, title), list), update };
}

/** Figures to be seen from afar: `[term, what to show, a remark]`. */
function tiles(list) {
  const holder = element("div", { class: "tiles" });
  const update = () =>
    list().forEach(([term, shown, remark], at) => {
      const [dt, dd, small] = [element("dt"), element("dd"), element("dd")];
      const tile = holder.children[at] ?? element("dl", { class: "tile" }, dt, dd, small);
      if (!tile.isConnected) holder.append(tile);
      setText(tile.children[0], term);
      fill(tile.children[1], shown);
      fill(tile.children[2], remark);
    });
  return { element: holder, update };
}

/** Why it is as bad as `light` says; without a reason it is not there. */
function reasons(light, list) {
  const body = element("ul");
  const panel = element("section", {}, element("h3", {}, "Reasons"), body);
  const update = () => {
    const all = list() ?? [];
    panel.hidden = all.length === 0;
    setAttribute(panel, "class", `panel reasons ${tone(light())}`);
    fill(body, all.map((words) => ["li", words]));
  };
  return { element: panel, update };
}

/** One paragraph. */
function note(words) {
  const body = element("p", { class: "note" });
  const update = () => {
    setText(body, words() ?? "");
    body.hidden = !body.textContent;
  };
  return { element: body, update };
}

/** Ways between the tables of a section: `[hash, words]`. */
function tabs(label, all) {
  const ways = all.map(([hash, words]) => element("a", {
    href: `#${hash}`, "aria-current": location.hash === `#${hash}` ? "page" : null,
  }, words));
  const body = element("div", { class: "tabs", role: "navigation", "aria-label": label }, ...ways);
  return { element: body, update() {} };
}

/* ---- Tables ----------------------------------------------------------------------------- */

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
 * A table that sorts, filters and keeps its rows: `rows` gives `{key, …}`, `searched` the text
 * of one that the filter looks through; without it there is no filter. `sorted` is the head of
 * the column that sorts at first.
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
      return (is(a) && way * compare(a, b)) || ORDER.compare(one.key, other.key);
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
    const wanted = new Map(this.shown.slice(from, to).map((row) => [row.key, row]));
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
    this.measure();
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

/* ---- The last hour ---------------------------------------------------------------------- */

/** One curve of sixty minutes, with the same in words. A minute without a value is a gap. */
class Chart {
  constructor(name, style) {
    this.name = name;
    this.now = element("strong");
    this.range = element("span", { class: "note end" });
    this.begin = element("span", { class: "note" });
    this.end = element("span", { class: "note end" });
    this.curves = ["area", "line"].map((kind) => this.svg("path", { class: kind }));
    this.drawing = this.svg("svg",
      { class: style, role: "img", viewBox: "0 0 59 100", preserveAspectRatio: "none" });
    this.drawing.append(...this.curves);
    const head = element("h3", { class: "note" }, name);
    this.element = element("section", { class: "panel" }, head, element("div", { class: "chart" },
      this.now, element("span"), this.range, this.drawing, this.begin, element("span"), this.end));
  }

  svg(tag, attributes) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  /** `values` oldest first, the last of the minute that ends at `end`. */
  draw(values, first) {
    const known = values.filter(is);
    const [least, most] = [Math.min(...known), Math.max(...known)];
    const now = is(values.at(-1)) ? bits(values.at(-1)) : "no value";
    const gaps = values.length - known.length;
    const range = known.length ? `min ${bits(least)} · max ${bits(most)}` : "no value at all";
    const missing = gaps ? `, ${gaps} of ${values.length} minutes without a value` : "";
    const last = new Date(Date.parse(first) + (values.length - 1) * 60000).toISOString();
    setText(this.now, now);
    setText(this.range, range);
    setText(this.begin, first.slice(11, 16));
    setText(this.end, `${last.slice(11, 16)} UTC`);
    const said = range.replace("min ", "minimum ").replace(" · max ", ", maximum ");
    setAttribute(this.drawing, "aria-label", `${this.name}: now ${now}, ${said}${missing}`);
    const [area, line] = this.paths(values, most || 1);
    setAttribute(this.curves[0], "d", area);
    setAttribute(this.curves[1], "d", line);
  }

  paths(values, most) {
    let [area, line, run] = ["", "", []];
    const y = (value) => (98 - (94 * value) / most).toFixed(1);
    [...values, null].forEach((value, x) => {
      if (is(value)) return run.push(`${x} ${y(value)}`);
      if (run.length) {
        const from = x - run.length;
        // A single minute is a dot: a line of no length with round ends.
        line += `M${run.join("L")}${run.length === 1 ? "h0" : ""}`;
        area += `M${from} 100L${run.join("L")}L${x - 1} 100Z`;
      }
      run = [];
    });
    return [area, line];
  }
}

/** Ingress and egress of a channel; asked for again with each new minute of its metrics. */
function lastHour(id) {
  const charts = {
    ingress_bits_per_second: new Chart("Ingress, last hour", "in"),
    egress_bits_per_second: new Chart("Egress, last hour", "out"),
  };
  const failed = note(() => why);
  const holder = element("div", { class: "panels" },
    ...Object.values(charts).map((chart) => chart.element));
  let [asked, why] = [null, null];
  const update = async () => {
    const minute = picture.of("channel/metrics", id).timestamp;
    if (is(minute) && asked !== minute) {
      asked = minute;
      try {
        const answer = await ask(`api/history?channel=${encodeURIComponent(id)}`);
        const history = await answer.json();
        for (const [key, chart] of Object.entries(charts)) chart.draw(history[key], history.first);
        why = null;
      } catch (error) {
        asked = null;
        why = `The last hour of this channel is not to be had: ${error.message}.`;
      }
    }
    holder.hidden = asked === null;
    failed.update();
  };
  return { element: element("div", {}, failed.element, holder), update };
}

/* ---- What there is ---------------------------------------------------------------------- */

/** The rows of a kind: payloads with a key, and with what else is known of the same id. */
function rows(kind, keep = () => true) {
  return Array.from(picture.members(kind).keys(), (key) => rowOf(kind, key)).filter(keep);
}
function rowOf(kind, key) {
  const health = picture.of(`${kind}/health`, key);
  const metrics = picture.of(`${kind}/metrics`, key);
  return { key, ...picture.of(kind, key), health, metrics };
}
const activeAlarms = () => rows("alarm", (row) => row.state === "ALARM").length;

/** What filters look through. */
const searched = (row) =>
  [row.key, row.name, row.description, ...pairs(row.tags), row.channel_id, row.channel_group,
    row.packaging_group_id, row.package, row.api, row.state, row.reason, row.metric, row.status,
    row.health?.health, row.health?.ingest].filter(is).join(" ");

const INPUTS = field("Inputs", "num small", "health", (health) =>
  (is(health.inputs_receiving)
    ? text(`${health.inputs_receiving} of ${health.inputs_total}`) : NONE),
(health) => health.inputs_receiving);

const CHANNEL = [
  link("Channel", "channel", "id"),
  state("Health", "health.health"),
  rate("Ingress", "metrics.ingress_bits_per_second"),
  rate("Egress", "metrics.egress_bits_per_second"),
  state("Ingest", "health.ingest"),
  since("Ingest since", "health.ingest_since"),
  INPUTS,
  count("Alarms", "health.alarms_active"),
  count("Endpoints", "endpoints.length"),
  plain("Input type", "input_type"),
  plain("API", "api", "small"),
  long("Channel group", "channel_group", "name"),
  long("Description", "description"),
  tagged("Tags", "tags"),
  since("Created", "created_at"),
  since("Modified", "modified_at"),
  long("Egress log", "egress_access_logs"),
  long("Ingress log", "ingress_access_logs"),
  long("ARN", "arn"),
];

const ENDPOINT = [
  link("Endpoint", "endpoint", "id"),
  plain("Package", "package", "small"),
  rate("Egress", "metrics.egress_bits_per_second"),
  count("Requests", "metrics.egress_request_count"),
  link("Channel", "channel"),
  yesNo("Encrypted", "encrypted"),
  length("Segment", "segment_duration_seconds"),
  length("Startover", "startover_window_seconds"),
  length("Delay", "time_delay_seconds"),
  plain("Origination", "origination"),
  plain("API", "api", "small"),
  long("Manifest", "manifest_name", "name"),
  url("URL", "url"),
  field("Manifests", "wide", "manifests", (all) => some(all, (one) => address(one.url ?? one.id)),
    (all) => all?.length),
  long("Description", "description"),
  tagged("Tags", "tags"),
  since("Created", "created_at"),
  since("Modified", "modified_at"),
  long("ARN", "arn"),
];

/** Of metrics of every kind. */
const METRICS = [
  state("Data", "state"),
  rate("Egress", "egress_bits_per_second"),
  count("Requests", "egress_request_count"),
  count("2xx", "egress_request_count_2xx"),
  count("3xx", "egress_request_count_3xx"),
  count("4xx", "egress_request_count_4xx"),
  count("5xx", "egress_request_count_5xx"),
  count("4xx, window", "egress_request_count_4xx_window"),
  count("5xx, window", "egress_request_count_5xx_window"),
  length("Window", "window_seconds"),
  delay("Response", "egress_response_time_ms"),
  since("Minute", "timestamp"),
  since("Newest data", "last_data_at"),
  plain("Level", "level"),
];
const CHANNEL_METRICS = [
  METRICS[0],
  rate("Ingress", "ingress_bits_per_second"),
  ...METRICS.slice(1),
  count("Ingress requests", "ingress_request_count"),
  delay("Ingress response", "ingress_response_time_ms"),
  plain("MQCS", "channel_mqcs", "num small"),
];
const ENDPOINT_METRICS = [...METRICS, long("Active input", "active_input", "name")];

const INGEST = [
  long("Ingest endpoint", "id", "name"),
  rate("Ingress", "input.bits_per_second"),
  yesNo("Active", "input.active"),
  plain("MQCS", "input.mqcs", "num small"),
  url("URL", "url"),
];

const ALARM = [
  field("Alarm", "name", "name", (name, row) => linkTo("alarm", row.key, name)),
  state("State", "state"),
  since("Since", "updated_at"),
  link("Channel", "channel"),
  long("Reason", "reason"),
  link("Endpoint", "endpoint"),
  long("Metric", "metric", "name"),
  tagged("Dimensions", "dimensions"),
  plain("Condition", "comparison", "name"),
  plain("Threshold", "threshold", "num"),
  state("Before", "previous_state"),
  plain("Type", "type"),
  plain("Learned by", "source"),
  long("Description", "description"),
  yesNo("Actions", "actions_enabled"),
  yesNo("Suppressed", "actions_suppressed"),
  yesNo("Listed", "listed"),
  plain("Account", "account_id", "name"),
  plain("Region", "region"),
  long("ARN", "arn"),
];

const JOB = [
  long("Job", "id", "name"),
  state("Status", "status"),
  link("Channel", "channel"),
  link("Endpoint", "endpoint"),
  moment("From", "start_time"),
  moment("To", "end_time"),
  since("Created", "created_at"),
  long("Bucket", "bucket", "name"),
  long("Key", "key"),
  long("Message", "message"),
];

const GROUP = [
  long("Group", "id", "name"),
  field("Channels", "wide", "channels", (all) => some(all, (id) => linkTo("channel", id)),
    (all) => all?.length),
  long("Description", "description"),
  long("Egress domain", "egress_domain"),
  tagged("Tags", "tags"),
  since("Created", "created_at"),
  since("Modified", "modified_at"),
];

const PACKAGING_GROUP = [
  long("Group", "id", "name"),
  count("Assets", "approximate_asset_count"),
  field("Configurations", "wide", "packaging_configurations", joined, (all) => all?.length),
  long("Egress domain", "egress_domain"),
  long("Egress log", "egress_access_logs"),
  tagged("Tags", "tags"),
  since("Created", "created_at"),
];

const CONFIGURATION = [
  long("Configuration", "id", "name"),
  long("Group", "packaging_group_id", "name"),
  plain("Package", "package", "small"),
  length("Segment", "segment_duration_seconds"),
  yesNo("Encrypted", "encrypted"),
  field("Manifests", "name", "manifests", joined, (all) => all?.length),
  tagged("Tags", "tags"),
  since("Created", "created_at"),
];

const SUBSCRIPTION = [
  long("Topic", "key", "name"),
  state("State", "state"),
  since("Latest", "last_message_at"),
  count("Taken", "accepted"),
  count("Refused", "rejected"),
  long("Last refusal", "last_rejection", "name"),
  since("Confirmed", "confirmed_at"),
  long("Topic ARN", "topic_arn"),
  long("Subscription ARN", "subscription_arn"),
];

const SOURCE = [
  plain("Source", "key", "name"),
  state("State", "state"),
  since("Since", "since"),
  long("Error", "error"),
  state("Values", "values"),
  since("Success", "stats.last_success_at"),
  count("Polls", "stats.polls"),
  count("Failures", "stats.failures"),
  count("Requests", "stats.requests"),
  delay("Took", "stats.duration_ms"),
];

const AGENT = [
  field("Health", "", "health", badge),
  field("Status topic", "", "status", badge),
  plain("Account", "account_id"),
  plain("Region", "region"),
  plain("Topics", "prefix"),
  url("Queue", "queue"),
  plain("Version", "version"),
  since("Started", "started_at"),
  plain("Agent id", "agent_id"),
  field("AWS's clock", "", "clock_offset_seconds", (seconds) =>
    (is(seconds) ? text(`${seconds} s ahead`) : NONE)),
  field("Memory", "", "stats.memory_bytes", (size) =>
    (is(size) ? text(bytes(size), `${WHOLE.format(size)} bytes`) : NONE)),
  count("Publications", "stats.publishes"),
  since("Figures taken", "stats.updated_at"),
];

const budget = (usd) => (usd > 0 ? money(usd) : text("no limit"));
const pushed = ({ accepted = 0, rejected = {} } = {}) => {
  const why = Object.entries(rejected).filter(([, times]) => times > 0);
  return [text(`${WHOLE.format(accepted)} taken`),
    ...why.map(([reason, times]) => tag(`${times} refused: ${reason.replaceAll("_", " ")}`))];
};
const COST = [
  count("Metrics billed", "cost.metrics_billed"),
  field("This month", "", "cost.usd", money),
  field("Forecast", "", "cost.forecast_usd", money),
  field("Budget", "", "cost.budget_usd", budget),
  length("Interval", "cost.effective_interval_seconds"),
  count("Series matched", "series.matched"),
  count("Series of nothing known", "series.unmatched"),
  field("Over SNS", "", "sns", pushed),
  field("Over SQS", "", "sqs", pushed),
];

/* ---- Sections --------------------------------------------------------------------------- */

/** A table of a kind; in a section of its own it has a filter. */
const table = (title, kind, columns, more = {}) => new Table({
  id: title, title, columns, searched, sorted: columns[0].head,
  rows: () => rows(kind), empty: `There are no ${title.toLowerCase()}.`, ...more,
});
/** A smaller one, of what belongs to something. */
const partOf = (title, kind, columns, key, id) => titled(table(title, kind, columns, {
  id: `${title} of ${key}`, searched: null, rows: () => rows(kind, (row) => row[key] === id),
}));

/** A heading above a part. */
const titled = (part, title = part.title) => ({
  element: element("div", { class: "block" }, element("h3", {}, title), part.element),
  update: () => part.update(),
});

function generalTiles() {
  const summary = picture.one("summary");
  const cost = picture.one("agent/stats").cost ?? {};
  const lost = summary.channels_lost;
  const limit = cost.budget_usd > 0 ? `of ${MONEY.format(cost.budget_usd)}` : "no limit";
  const alarms = summary.alarms_active;
  return [
    ["Channels", number(summary.channels),
      lost ? warning("bad", `${lost} without ingest`) : text("none lost")],
    ["Origin endpoints", number(summary.endpoints), text("of these channels")],
    ["Active alarms", number(alarms),
      alarms ? warning("bad", summary.active?.[0] ?? "ALARM") : text(`of ${picture.members("alarm").size}`)],
    ["Egress", speed(summary.egress_bits_per_second), text("of all channels")],
    ["Forecast", money(cost.forecast_usd), text(`this month, ${limit}`)],
  ];
}
const warning = (tone, said) => ["span", said, { class: `badge ${tone}` }];

const sources = () => {
  const { sources: all = {}, apis = {} } = picture.one("agent");
  const { sources: stats = {} } = picture.one("agent/stats");
  return [
    ...Object.entries(all).map(([key, of]) =>
      ({ key, ...of, stats: stats[key], values: picture.topics.get(`source/${key}`) })),
    ...Object.entries(apis).map(([name, of]) => ({ key: `mediapackage ${name}`, ...of })),
  ];
};

const general = () => ({
  title: "General",
  head: () => badge(picture.one("summary").health),
  parts: [
    tiles(generalTiles),
    reasons(() => picture.one("summary").health, () => picture.one("summary").reasons),
    titled(table("Sources", "source", SOURCE, { rows: sources, searched: null, sorted: "State" })),
    facts("Agent", AGENT, () => ({
      ...picture.one("agent"), stats: picture.one("agent/stats"),
      status: picture.topics.get("status"), prefix: picture.prefix,
    })),
    facts("Cost and messages", COST, () => picture.one("agent/stats")),
  ],
});

const METRIC_TABLES = {
  metrics: ["Metrics of channels", "channel/metrics",
    [link("Channel", "channel", "id"), ...CHANNEL_METRICS]],
  "metrics/endpoints": ["Metrics of origin endpoints", "endpoint/metrics",
    [link("Endpoint", "endpoint", "id"), ...ENDPOINT_METRICS, link("Channel", "channel")]],
  "metrics/vod": ["Metrics of packaging", "packaging_configuration/metrics",
    [long("Configuration", "id", "name"), ...METRICS,
      long("Group", "packaging_group_id", "name")]],
};

const metrics = (which) => ({
  title: "Operational Metrics",
  fill: true,
  parts: [
    tabs("Kinds of metrics", [
      ["metrics", "Channels"], ["metrics/endpoints", "Origin endpoints"],
      ...(picture.members("packaging_configuration").size ? [["metrics/vod", "Packaging"]] : []),
    ]),
    table(...(METRIC_TABLES[which ? `metrics/${which}` : "metrics"] ?? METRIC_TABLES.metrics)),
  ],
});

/** The latest messages; each opens to what it says. */
function messageList() {
  const list = element("ol", { class: "messages" });
  const nothing = element("p", { class: "empty panel" }, "No message has come yet.");
  let items = new Map();
  const update = () => {
    const known = items;
    items = new Map((picture.one("sns/messages").messages ?? []).map((message) => {
      const key = `${message.message_id} ${message.received_at}`;
      return [key, known.get(key) ?? messageItem(message)];
    }));
    for (const [key, item] of known) if (!items.has(key)) item.remove();
    arrange(list, items.values(), list.firstChild);
    list.hidden = items.size === 0;
    nothing.hidden = items.size > 0;
  };
  return { element: element("div", {}, nothing, list), update };
}

const MESSAGE = [
  plain("Message", "message_id"), plain("Topic", "topic_arn"), plain("Came over", "via"),
  moment("Sent", "timestamp"), moment("Received", "received_at"),
];

function messageItem(of) {
  const body = typeof of.message === "string" ? of.message : JSON.stringify(of.message, null, 2);
  const head = element("summary");
  fill(head, [
    time(of.timestamp), tag(of.event_type.replaceAll("_", " ")),
    ["span", of.subject ?? body.slice(0, 120), { class: "title" }],
    ...(of.truncated ? [text("shortened")] : []),
  ]);
  const what = facts("Message", MESSAGE, () => of);
  what.update();
  return element("li", {}, element("details", {}, head, what.element, element("pre", {}, body)));
}

/* ---- What opens ------------------------------------------------------------------------- */

/** One of a kind, by its key: all that is known of it, then `parts` of its own. */
function opened(kind, from, title, fields, light, parts) {
  const one = (key) => () => rowOf(kind, key);
  // The heading says them.
  const known = fields.slice(1).filter(({ head }) => head !== "Description");
  return (key) => ({
    title: one(key)().name ?? key,
    from,
    head: () => badge(picture.members(kind).has(key) ? light(one(key)()) : "gone"),
    parts: [
      note(() => (picture.members(kind).has(key) ? one(key)().description
        : `There is no ${title.toLowerCase()} of this name, or not any more.`)),
      ...parts(key, one(key), facts(title, known, one(key))),
    ],
  });
}

const DETAILS = {
  channel: opened("channel", "channels", "Channel", CHANNEL, (row) => row.health.health,
    (id, row, known) => [
      reasons(() => row().health.health, () => row().health.reasons),
      lastHour(id),
      known,
      facts("Newest minute", CHANNEL_METRICS, () => row().metrics),
      titled(table("Ingest endpoints", "", INGEST,
        { rows: () => ingest(row()), searched: null, sorted: null })),
      partOf("Origin endpoints", "endpoint", ENDPOINT, "channel_id", id),
      partOf("Alarms", "alarm", ALARM, "channel_id", id),
      partOf("Harvest jobs", "harvest_job", JOB, "channel_id", id),
    ]),
  endpoint: opened("endpoint", "endpoints", "Origin endpoint", ENDPOINT,
    (row) => row.metrics.state,
    (id, row, known) => [
      known,
      facts("Newest minute", ENDPOINT_METRICS, () => row().metrics),
      partOf("Alarms", "alarm", ALARM, "endpoint_id", id),
    ]),
  alarm: opened("alarm", "alarms", "Alarm", ALARM, (row) => row.state,
    (key, row, known) => [known]),
};

/** The ingest endpoints of a channel, each with what it gets. */
function ingest({ ingest_endpoints: all = [], metrics: { inputs = [] } }) {
  const inputOf = (id) => inputs.find((input) => input.id === id);
  return all.map((of) => ({ ...of, key: of.id, input: inputOf(of.id) }));
}

/* ---- Ways through the page -------------------------------------------------------------- */

const single = (title, kind, columns, more) => ({
  title, kind, view: () => ({ title, fill: true, parts: [table(title, kind, columns, more)] }),
});

/** The sections; a rare one is there when there is something of its kind. */
const SECTIONS = {
  general: { title: "General", view: general },
  channels: single("Channels", "channel", CHANNEL, { sorted: "Health" }),
  endpoints: single("Origin Endpoints", "endpoint", ENDPOINT),
  metrics: { title: "Operational Metrics", view: metrics },
  alarms: { ...single("Alarms", "alarm", ALARM, { sorted: "State" }), active: activeAlarms },
  sns: {
    title: "SNS Messages",
    view: () => ({
      title: "SNS Messages",
      parts: [
        titled(table("Subscriptions", "sns/subscription", SUBSCRIPTION, { searched: null })),
        titled(messageList(), "Latest messages"),
      ],
    }),
  },
  groups: { ...single("Channel Groups", "channel_group", GROUP), rare: true },
  jobs: { ...single("Harvest Jobs", "harvest_job", JOB), rare: true },
  vod: {
    title: "VOD", kind: "packaging_group", rare: true,
    view: () => ({
      title: "VOD",
      parts: [
        titled(table("Packaging groups", "packaging_group", PACKAGING_GROUP)),
        titled(table("Packaging configurations", "packaging_configuration", CONFIGURATION)),
      ],
    }),
  },
};

const main = byId("main");
const ways = new Map();
let view = null;

/** What the address asks for; the first section where it asks for nothing that there is. */
function asked() {
  const [, name, rest = ""] = /^#([^/]*)\/?(.*)$/.exec(location.hash) ?? [];
  let id = rest;
  try {
    id = decodeURIComponent(rest);
  } catch {
    // A stray per cent sign stands for itself.
  }
  if (Object.hasOwn(DETAILS, name)) return [`${name}s`, DETAILS[name](id)];
  const section = Object.hasOwn(SECTIONS, name) ? name : "general";
  return [section, SECTIONS[section].view(id)];
}

/** Builds what the address asks for, in place of what was there. */
function open(moved) {
  const [section, made] = asked();
  const marks = element("span", { class: "tools" });
  const heading = element("h2", { tabindex: "-1" }, element("span", {}, made.title), marks);
  const body = element("section", { class: made.fill ? "fill" : null });
  if (made.from) {
    const way = element("a", { href: `#${made.from}` }, `‹ ${SECTIONS[made.from].title}`);
    body.append(element("p", { class: "note" }, way));
  }
  body.append(heading, ...made.parts.map((part) => part.element));
  view = {
    update() {
      fill(marks, made.head?.() ?? []);
      for (const part of made.parts) part.update();
    },
    draw: () => made.parts.forEach((part) => part.restore?.()),
  };
  main.replaceChildren(body);
  main.scrollTop = 0;
  view.update();
  view.draw();
  for (const [name, { way }] of ways) {
    setAttribute(way, "aria-current", name === section ? "page" : null);
    // On a phone they are a strip that scrolls.
    if (name === section) way.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  const where = [made.title, "MediaPackage", picture.one("agent").region];
  document.title = where.filter(is).join(" · ");
  if (moved) heading.focus({ preventScroll: true });
}

function buildSections() {
  for (const [name, { title }] of Object.entries(SECTIONS)) {
    const size = element("span", { class: "count" });
    const way = element("a", { href: `#${name}` }, element("span", {}, title), size);
    const item = element("li", {}, way);
    ways.set(name, { way, size, item });
    byId("sections").append(item);
  }
}

function updateSections() {
  for (const [name, { kind, active, rare }] of Object.entries(SECTIONS)) {
    const { size, item } = ways.get(name);
    const all = picture.members(kind).size;
    const urgent = active?.() ?? 0;
    fill(size, urgent ? warning("bad", `${urgent} active`) : kind ? number(all) : []);
    item.hidden = Boolean(rare) && all === 0;
  }
}

/* ---- What stands above everything ------------------------------------------------------- */

/** Sources that fail, each with since when and why. */
function failures() {
  const all = Object.entries(picture.one("agent").sources ?? {});
  return all.filter(([, source]) => source.state === "failing").map(([name, source]) => {
    const old = picture.topics.get(`source/${name}`) === "offline";
    const stale = old ? " Its values are as they were last known." : "";
    return [`${name}: ${source.error}`,
      `Source ${name} has been failing since ${exact(source.since)}. ${source.error}${stale}`];
  });
}

function updateBanners() {
  const { health, reasons = [] } = picture.one("agent");
  const failing = failures();
  const known = new Set(failing.map(([reason]) => reason));
  const alerts = failing.map(([, said]) => said);
  const notices = reasons.filter((reason) => !known.has(reason));
  if (picture.topics.get("status") === "offline") notices.push("The agent's topics are offline.");
  if (health === "starting") notices.push("The agent is starting: not all sources have answered.");
  if (contact.awaySince) {
    const last = contact.heardAt ? ` What is shown is of ${exact(contact.heardAt)}.` : "";
    const away = `The agent has not answered since ${exact(contact.awaySince)}: ${contact.why}.`;
    alerts.unshift(away + last);
  }
  fill(byId("alerts"), alerts.map((said) => ["p", said, { class: "bad" }]));
  fill(byId("notices"), notices.map((said) => ["p", said, { class: "warn" }]));
  document.body.classList.toggle("away", contact.awaySince !== null);
}

function updateHead() {
  const { health, account_id: account, region } = picture.one("agent");
  setText(byId("region"), region ?? "");
  fill(byId("standing"), [
    ...(is(account) ? [text(`Account ${account}`)] : []),
    ...(is(health) ? [warning(tone(health), `Agent ${health}`)] : []),
    ...(contact.heardAt ? [text("Heard"), time(contact.heardAt)] : []),
  ]);
}

/* ---- Asking the agent ------------------------------------------------------------------- */

/** How it stands with the agent. `due` is of `performance.now`. */
const contact = { due: 0, asking: false, failures: 0, awaySince: null, why: null, heardAt: null };

/** Asks; 304 is an answer too. Every answer sets the clock. */
async function ask(path, headers = {}) {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const answer = await fetch(path, { headers, signal, cache: "no-store" });
  clock.learn(answer.headers.get("Date") ?? new Date().toUTCString());
  if (answer.ok || answer.status === 304) return answer;
  throw new Error(`it says ${answer.status} ${answer.statusText}`.trim());
}

/** Asks for what has changed, and shows it. */
async function poll() {
  contact.asking = true;
  const { tag } = picture;
  const path = tag ? `api/state?since=${encodeURIComponent(tag)}` : "api/state";
  try {
    const answer = await ask(path, tag ? { "If-None-Match": `"${tag}"` } : {});
    const news = answer.status === 304 ? null : await answer.json();
    Object.assign(contact, { failures: 0, awaySince: null, why: null, heardAt: clock.iso() });
    if (news) show(news);
  } catch (error) {
    contact.failures += 1;
    contact.awaySince ??= clock.iso();
    contact.why = error.name === "TimeoutError" ? "no answer in time" : error.message;
  }
  contact.asking = false;
  const wait = Math.min(POLL_MS * 2 ** contact.failures, POLL_AWAY_MS_MAX);
  contact.due = performance.now() + wait;
  updateBanners();
  updateHead();
}

function show(news) {
  picture.take(news);
  if (view) view.update();
  else open(false);
  updateSections();
}

/** The only timer: ages go on, and it is asked when it is time. A hidden page does nothing. */
function tick() {
  if (document.hidden) return;
  for (const shown of document.getElementsByTagName("time")) setText(shown, age(shown.dateTime));
  if (!contact.asking && performance.now() >= contact.due) poll();
}

buildSections();
document.querySelector(".skip").addEventListener("click", (event) => {
  // The address says which section is shown.
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => view && open(true));
addEventListener("resize", () => view?.draw());
document.addEventListener("visibilitychange", () => {
  contact.due = 0;
  tick();
});
setInterval(tick, TICK_MS);
tick();
