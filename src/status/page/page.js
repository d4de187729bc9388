// Ways through the page, what stands above everything, and the questions to the agent.

/** From one question to the next while the agent answers, milliseconds. */
const POLL_MS = 3000;
/** The longest wait while it does not. */
const POLL_AWAY_MS_MAX = 30000;
/** What an answer may take, each time longer: a thousand channels are megabytes on a slow line. */
const ANSWER_MS = 20000;
const ANSWER_MS_MAX = 60000;
/** Of the only timer: ages, and whether it is time to ask. */
const TICK_MS = 1000;

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
    const all = kind ? picture.members(kind).size : 0;
    const urgent = active?.() ?? 0;
    fill(size, urgent ? warning("bad", `${urgent} active`) : kind ? number(all) : []);
    item.hidden = Boolean(rare) && all === 0;
  }
}

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

/** How it stands with the agent. `due` is of `performance.now`. */
const contact = { due: 0, asking: false, failures: 0, awaySince: null, why: null, heardAt: null };

/** What browsers have names for. */
const NO_ANSWER = { TimeoutError: "no answer in time", TypeError: "no connection" };

/** Asks; 304 is an answer too. Every answer sets the clock. */
async function ask(path, headers = {}) {
  const wait = Math.min(ANSWER_MS * (1 + contact.failures), ANSWER_MS_MAX);
  const signal = AbortSignal.timeout(wait);
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
  let news = null;
  try {
    const answer = await ask(path, tag ? { "If-None-Match": `"${tag}"` } : {});
    if (answer.status !== 304) news = await answer.json();
    Object.assign(contact, { failures: 0, awaySince: null, why: null, heardAt: clock.iso() });
  } catch (error) {
    contact.failures += 1;
    contact.awaySince ??= clock.iso();
    contact.why = NO_ANSWER[error.name] ?? error.message;
  }
  contact.asking = false;
  const wait = Math.min(POLL_MS * 2 ** contact.failures, POLL_AWAY_MS_MAX);
  contact.due = performance.now() + wait;
  if (news) show(news);
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
