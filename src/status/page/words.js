// Values as people read them, and as `fill` takes them.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const DIGITS = { minimumSignificantDigits: 3, maximumSignificantDigits: 3 };
const SHORT = new Intl.NumberFormat("en", DIGITS);
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
