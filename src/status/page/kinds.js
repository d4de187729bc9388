// What there is, and the fields of each kind.

/** The rows of a kind that `keep` wants. */
function rows(kind, keep = () => true) {
  return Array.from(picture.members(kind).keys(), (ref) => rowOf(kind, ref)).filter(keep);
}

/** A payload with its key, and with what else is known of the same id. */
function rowOf(kind, ref) {
  const health = picture.of(`${kind}/health`, ref);
  const metrics = picture.of(`${kind}/metrics`, ref);
  return { ...picture.of(kind, ref), ref, health, metrics };
}

const activeAlarms = () => rows("alarm", (row) => row.state === "ALARM").length;

/** What filters look through. */
const searched = (row) =>
  [row.ref, row.name, row.description, ...pairs(row.tags), row.channel_id, row.channel_group,
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
  field("Alarm", "name", "name", (name, row) => linkTo("alarm", row.ref, name)),
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
  long("Topic", "ref", "name"),
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
  plain("Source", "ref", "name"),
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
  plain("Version", "version"),
  since("Started", "started_at"),
  plain("Agent id", "agent_id"),
  field("AWS's clock", "", "clock_offset_seconds", (seconds) =>
    (is(seconds) ? text(`${seconds} s ahead`) : NONE)),
  field("Memory", "", "stats.memory_bytes", (size) =>
    (is(size) ? text(bytes(size), `${WHOLE.format(size)} bytes`) : NONE)),
  count("Publications", "stats.publishes"),
  since("Figures taken", "stats.updated_at"),
  url("Queue", "queue"),
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
