// The last hour of a channel.

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
      this.now, this.range, this.drawing, this.begin, this.end));
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
  // Until there is something to be seen and to be said of it.
  holder.hidden = true;
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
      holder.hidden = why !== null;
    }
    failed.update();
  };
  return { element: element("div", {}, failed.element, holder), update };
}
