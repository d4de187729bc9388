// A page left open for long: hundreds of updates, in which values change, channels come and go and
// sections are visited, leave as many elements, listeners and bytes behind as there were.

import { POLL, SECTIONS, assert, cases, go, open } from "./page.mjs";

const ROUNDS = 12;
/** Updates in a round; a round visits every section once and opens a channel. */
const UPDATES = 26;
/** Bytes by which a heap may differ after a collection: code that became hot, caches. */
const HEAP_MORE_MAX = 400_000;

let serial = 0;
let whole = null;

/** The agent's own answer, with values that change and a channel that comes and goes. */
async function changed(route) {
  if (whole === null) whole = await (await route.fetch()).json();
  serial += 1;
  const answer = structuredClone(whole);
  answer.tag = `other-${serial}`;
  answer.now = new Date().toISOString();
  for (const [topic, payload] of Object.entries(answer.topics)) {
    if (topic.endsWith("/metrics") && payload.id) {
      payload.egress_bits_per_second = serial * 1_000_003;
      payload.timestamp = new Date(serial * 60_000).toISOString();
    }
    const copy = topic.replace("ch-0001", `ch-${serial}`);
    if (serial % 2 && copy !== topic && payload.id) {
      const id = payload.id.replace("ch-0001", `ch-${serial}`);
      answer.topics[copy] = { ...payload, id };
    }
  }
  const messages = Array.from({ length: 20 }, (_, at) => ({
    message_id: `m-${serial + at}`, topic_arn: "arn", event_type: "other",
    subject: `message ${serial + at}`, timestamp: answer.now, received_at: answer.prefix,
    via: "sns", message: { serial }, truncated: false,
  }));
  answer.topics[`${answer.prefix}sns/messages`] = { messages };
  const headers = { ETag: `"${answer.tag}"`, Date: new Date().toUTCString() };
  await route.fulfill({ json: answer, headers });
}

const page = await open("", {}, async (page) => {
  await page.clock.install();
  await page.route("**/api/state*", changed);
});
const tools = await page.context().newCDPSession(page);
await tools.send("Performance.enable");

async function update() {
  const before = serial;
  await page.clock.runFor(POLL + 1_000);
  // The page's own record of what it shows.
  await page.waitForFunction((tag) => Number(picture.tag.split("-")[1]) > tag, before);
}

async function round() {
  const hashes = [...Object.entries(SECTIONS), ["#channel/ch-0001", "ch-0001"]];
  for (let at = 0; at < UPDATES; at += 1) {
    const [hash, title] = hashes[at % hashes.length];
    await go(page, hash, title);
    await update();
  }
  await go(page, "#channels", "Channels");
  await update();
  if (serial % 2 === 1) await update();
  await page.evaluate(() => getSelection().removeAllRanges());
  await tools.send("HeapProfiler.collectGarbage");
  await tools.send("HeapProfiler.collectGarbage");
  const { metrics } = await tools.send("Performance.getMetrics");
  const of = (name) => metrics.find((metric) => metric.name === name).value;
  return { nodes: of("Nodes"), listeners: of("JSEventListeners"), heap: of("JSHeapUsedSize") };
}

await cases({
  async "elements, listeners and heap are flat after hundreds of updates"() {
    const rounds = [];
    for (let at = 0; at < ROUNDS; at += 1) rounds.push(await round());
    // The first rounds warm the page up.
    const [first, last] = [rounds[2], rounds.at(-1)];
    console.log(`${serial} updates: ${JSON.stringify(first)} -> ${JSON.stringify(last)}`);
    assert.ok(serial > 300, `${serial} updates`);
    assert.ok(last.nodes <= first.nodes, "elements");
    assert.ok(last.listeners <= first.listeners, "listeners");
    assert.ok(last.heap <= first.heap + HEAP_MORE_MAX, "heap");
  },
});
