// Parts of a view: each has an element, and brings it up to date.

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
  const panel = element("section", { class: "panel" }, element("h3", {}, title), list);
  return { element: panel, update };
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
