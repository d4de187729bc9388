// The sections, and what opens from them.

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
  const { channels_lost: lost, alarms_active: alarms, active = [] } = summary;
  const limit = cost.budget_usd > 0 ? `of ${MONEY.format(cost.budget_usd)}` : "no limit";
  const known = `of ${picture.members("alarm").size}`;
  return [
    ["Channels", number(summary.channels),
      lost ? warning("bad", `${lost} without ingest`) : text("none lost")],
    ["Origin endpoints", number(summary.endpoints), text("of these channels")],
    ["Active alarms", number(alarms), alarms ? warning("bad", active[0] ?? known) : text(known)],
    ["Egress", speed(summary.egress_bits_per_second), text("of all channels")],
    ["Forecast", money(cost.forecast_usd), text(`this month, ${limit}`)],
  ];
}
const warning = (tone, said) => ["span", said, { class: `badge ${tone}` }];

const sources = () => {
  const { sources: all = {}, apis = {} } = picture.one("agent");
  const { sources: stats = {} } = picture.one("agent/stats");
  return [
    ...Object.entries(all).map(([ref, of]) =>
      ({ ...of, ref, stats: stats[ref], values: picture.topics.get(`source/${ref}`) })),
    ...Object.entries(apis).map(([name, of]) => ({ ...of, ref: `mediapackage ${name}` })),
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
  return all.map((of) => ({ ...of, ref: of.id, input: inputOf(of.id) }));
}
