// Every section shows what the broker keeps, sorts, filters, keeps its place, and suits keyboards,
// screen readers, phones and the dark. The test answers with the retained topics.

import {
  AXE, SECTIONS, URL_OF_PAGE, ask, assert, cases, cells, fact, go, open, titled,
} from "./page.mjs";
import { contrasts, narrow, small } from "./measure.mjs";

const CONTRAST_MIN = 4.5;
const PHONE = { viewport: { width: 320, height: 740 }, isMobile: true, hasTouch: true };

const retained = JSON.parse(await ask("retained"));
const PREFIX = "mediapackage/test/";
const one = (topic) => retained[PREFIX + topic];
/** The payloads of a kind, by the last levels of their topics. */
const all = (kind, part = "") => Object.entries(retained).flatMap(([topic, payload]) => {
  const [, id] = new RegExp(`^${PREFIX}${kind}/([^/]+)${part}$`).exec(topic) ?? [];
  return id === undefined ? [] : [payload];
});
const ids = (kind, part) => all(kind, part).map((payload) => payload.id ?? payload.name).sort();
const megabits = (value) => (value === null ? "–" : `${(value / 1e6).toPrecision(3)} Mbit/s`);

const page = await open();
const column = async (title, at) => (await cells(page, title)).map((row) => row[at]);
const header = (title, name) => page.getByRole("table", { name: title, exact: true })
  .getByRole("columnheader", { name, exact: true });

await cases({
  async "General shows health, sources, account, cost and figures"() {
    assert.equal(await page.locator("h1").count(), 1);
    assert.equal(await page.locator("h2 span").first().innerText(), "General");
    const agent = one("agent");
    assert.equal(await fact(page, "Agent", "Health"), agent.health);
    assert.equal(await fact(page, "Agent", "Account"), agent.account_id);
    assert.equal(await fact(page, "Agent", "Region"), agent.region);
    assert.equal(await fact(page, "Agent", "Version"), agent.version);
    assert.equal(await fact(page, "Agent", "Topics"), PREFIX);
    assert.match(await fact(page, "Agent", "Started"), /^(in )?\d+ (s|min)( ago)?$/);
    assert.match(await fact(page, "Agent", "AWS's clock"), /^-?\d+ s ahead$/);
    const { cost, memory_bytes: memory } = one("agent/stats");
    assert.match(await fact(page, "Agent", "Memory"), memory ? /^[\d.]+ MiB$/ : /^–$/);
    assert.match(await fact(page, "Cost and messages", "Forecast"), /^\$[\d,.]+$/);
    assert.equal(await fact(page, "Cost and messages", "Budget"), "no limit");
    const interval = await fact(page, "Cost and messages", "Interval");
    assert.equal(interval, `${cost.effective_interval_seconds} s`);
    const rows = new Map((await cells(page, "Sources")).map((row) => [row[0], row[1]]));
    for (const [name, { state }] of Object.entries(agent.sources)) {
      assert.equal(rows.get(name), state, name);
    }
    for (const [name, { state }] of Object.entries(agent.apis)) {
      assert.equal(rows.get(`mediapackage ${name}`), state, name);
    }
    const reasons = await page.locator(".reasons li").allInnerTexts();
    assert.deepEqual(reasons, one("summary").reasons);
  },

  async "Channels, Origin Endpoints and Operational Metrics show what there is"() {
    await go(page, "#channels", "Channels");
    assert.deepEqual((await column("Channels", 0)).sort(), ids("channel"));
    for (const row of await cells(page, "Channels")) {
      const health = one(`channel/${row[0]}/health`);
      const metrics = one(`channel/${row[0]}/metrics`);
      assert.equal(row[1], health.health);
      assert.equal(row[2], megabits(metrics.ingress_bits_per_second));
      assert.equal(row[3], megabits(metrics.egress_bits_per_second));
      assert.equal(row[4], health.ingest);
    }
    await go(page, "#endpoints", "Origin Endpoints");
    assert.deepEqual((await column("Origin Endpoints", 0)).sort(), ids("endpoint"));
    await go(page, "#metrics", "Operational Metrics");
    assert.deepEqual((await column("Metrics of channels", 0)).sort(), ids("channel", "/metrics"));
    await page.getByRole("link", { name: "Origin endpoints", exact: true }).click();
    const shown = await column("Metrics of origin endpoints", 0);
    assert.deepEqual(shown.sort(), ids("endpoint", "/metrics"));
    await page.getByRole("link", { name: "Packaging", exact: true }).click();
    const packaging = await column("Metrics of packaging", 0);
    assert.deepEqual(packaging.sort(), ids("packaging_configuration", "/metrics"));
  },

  async "Alarms, SNS Messages, groups, jobs and VOD show what there is"() {
    await go(page, "#alarms", "Alarms");
    const alarms = await cells(page, "Alarms");
    assert.deepEqual(alarms.map((row) => row[0]).sort(), ids("alarm"));
    assert.deepEqual(alarms[0].slice(0, 2), ["silent", "ALARM"], "the worst comes first");
    assert.match(await page.locator("nav").innerText(), /1 active/);
    await go(page, "#sns", "SNS Messages");
    const [subscription] = await cells(page, "Subscriptions");
    assert.equal(subscription[1], "confirmed");
    const { messages } = one("sns/messages");
    const titles = await page.locator("summary .title").allInnerTexts();
    assert.deepEqual(titles, messages.map((message) => message.subject));
    await page.locator("summary").first().click();
    const said = await page.locator("pre").first().innerText();
    assert.match(said, /"?AlarmName/);
    await go(page, "#groups", "Channel Groups");
    assert.deepEqual(await column("Channel Groups", 0), ids("channel_group"));
    await go(page, "#jobs", "Harvest Jobs");
    assert.deepEqual((await column("Harvest Jobs", 0)).sort(), ids("harvest_job"));
    await page.getByRole("row", { name: /^opening FAILED ch-0000 ch-0000-hls / }).waitFor();
    await go(page, "#vod", "VOD");
    assert.deepEqual(await column("Packaging groups", 0), ids("packaging_group"));
    const configurations = await column("Packaging configurations", 0);
    assert.deepEqual(configurations.sort(), ids("packaging_configuration"));
  },

  async "a channel opens to its endpoints, tags, alarms and last hour"() {
    await go(page, "#channels", "Channels");
    await page.getByRole("link", { name: "ch-0001", exact: true }).click();
    await titled(page, "ch-0001");
    assert.equal(await page.title(), "ch-0001 · MediaPackage · eu-central-1");
    assert.equal(await page.evaluate(() => document.activeElement.localName), "h2");
    const health = one("channel/ch-0001/health");
    assert.deepEqual(await page.locator(".reasons li").allInnerTexts(), health.reasons);
    assert.equal(await fact(page, "Channel", "Tags"), "env=test");
    const { ingest_endpoints: ingest, endpoints } = one("channel/ch-0001");
    const inputs = await cells(page, "Ingest endpoints");
    assert.deepEqual(inputs.map((row) => row[0]).sort(), ingest.map(({ id }) => id).sort());
    assert.deepEqual(await column("Origin endpoints", 0), endpoints);
    assert.deepEqual((await column("Alarms", 0)), ["silent"]);
    const image = page.getByRole("img", { name: /^Ingress, last hour: now / });
    const label = await image.getAttribute("aria-label");
    const history = await (await fetch(`${URL_OF_PAGE}api/history?channel=ch-0001`)).json();
    const values = history.ingress_bits_per_second;
    assert.ok(label.includes(`now ${megabits(values.at(-1))}, `), label);
    const known = values.filter((value) => value !== null);
    const [least, most] = [Math.min(...known), Math.max(...known)].map(megabits);
    assert.ok(label.includes(`minimum ${least}, maximum ${most}`), label);
    assert.equal(label.includes("without a value"), known.length < values.length);
    const curve = await image.locator("path.line").getAttribute("d");
    assert.equal(curve.split(/[ML]/).length - 1, known.length, "a point for each minute known");
  },

  async "back and reload keep the section, the channel and what was filtered"() {
    await page.reload();
    await titled(page, "ch-0001");
    await page.getByRole("link", { name: "‹ Channels" }).click();
    await page.getByLabel("Filter").fill("ch-0002");
    await page.getByRole("link", { name: "ch-0002", exact: true }).click();
    await page.goBack();
    await titled(page, "Channels");
    assert.deepEqual(await column("Channels", 0), ["ch-0002"]);
    await page.getByLabel("Filter").fill("");
  },

  async "tables sort by pointer and by keyboard"() {
    await go(page, "#channels", "Channels");
    const egress = header("Channels", "Egress");
    const value = (id) => one(`channel/${id}/metrics`).egress_bits_per_second;
    const rising = ids("channel").sort((a, b) => value(a) - value(b));
    await egress.getByRole("button").click();
    assert.equal(await egress.getAttribute("aria-sort"), "descending", "the largest first");
    assert.deepEqual(await column("Channels", 0), [...rising].reverse());
    await page.keyboard.press("Enter");
    assert.equal(await egress.getAttribute("aria-sort"), "ascending");
    assert.deepEqual(await column("Channels", 0), rising);
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Space");
    assert.equal(await header("Channels", "Channel").getAttribute("aria-sort"), "ascending");
    assert.equal(await egress.getAttribute("aria-sort"), "none");
    assert.deepEqual(await column("Channels", 0), ids("channel"));
  },

  async "a filter finds by name, tag and state, and says how many"() {
    const filter = page.getByLabel("Filter");
    await filter.fill("CH-0001");
    assert.deepEqual(await column("Channels", 0), ["ch-0001", "group-0.ch-0001"]);
    const live = page.locator(".tools [aria-live=polite]");
    assert.equal(await live.innerText(), `2 of ${ids("channel").length}`);
    await filter.fill("critical");
    assert.deepEqual(await column("Channels", 0), ["ch-0001"]);
    await filter.fill("env=test");
    assert.equal((await cells(page, "Channels")).length, ids("channel").length);
    await filter.fill("nothing has this");
    assert.equal(await page.locator(".block .empty").innerText(), "No row has this text.");
    await filter.fill("");
    assert.equal((await cells(page, "Channels")).length, ids("channel").length);
  },

  async "keyboards reach the content, the rows and the far side of a table"() {
    await page.reload();
    await page.waitForSelector("h2");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    assert.equal(new URL(page.url()).hash, "#channels", "the section stays");
    const region = page.getByRole("region", { name: "Channels" });
    await region.focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelector(".region").scrollLeft > 0);
    const outline = await region.evaluate((node) => getComputedStyle(node).outlineStyle);
    assert.notEqual(outline, "none", "the focus is seen");
    const rows = await page.getByRole("table").getAttribute("aria-rowcount");
    assert.equal(rows, String(ids("channel").length + 1));
  },

  async "axe finds nothing and every text can be read, by day and by night"() {
    for (const colorScheme of ["light", "dark"]) {
      const shown = await open("", { colorScheme, bypassCSP: true });
      await shown.addScriptTag({ path: AXE });
      const ground = await shown.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const bright = Number(/\d+/.exec(ground)[0]);
      assert.ok(colorScheme === "dark" ? bright < 40 : bright > 220, `${colorScheme}: ${ground}`);
      const views = { ...SECTIONS, "#channel/ch-0001": "ch-0001", "#endpoint/ch-0000-hls":
        "ch-0000-hls", "#alarm/silent": "silent", "#channel/none": "none" };
      let least = Infinity;
      for (const [hash, title] of Object.entries(views)) {
        await go(shown, hash, title);
        const { violations } = await shown.evaluate(() => globalThis.axe.run(document, {
          runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        }));
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`);
        assert.deepEqual(found, [], `${colorScheme} ${hash}`);
        for (const { ratio, text } of await shown.evaluate(contrasts)) {
          assert.ok(ratio >= CONTRAST_MIN, `${colorScheme} ${hash}: ${text} has ${ratio}`);
          least = Math.min(least, ratio);
        }
      }
      console.log(`least contrast, ${colorScheme}: ${least.toFixed(2)}`);
      await shown.context().close();
    }
  },

  async "a phone needs no sideways scrolling, and has controls for fingers"() {
    const phone = await open("", PHONE);
    const views = { ...SECTIONS, "#channel/ch-0001": "ch-0001", "#alarm/silent": "silent" };
    for (const [hash, title] of Object.entries(views)) {
      await go(phone, hash, title);
      assert.deepEqual(await phone.evaluate(narrow), [], hash);
      assert.deepEqual(await phone.evaluate(small), [], hash);
    }
    for (const name of ["Operational Metrics", "VOD", "General"]) {
      await phone.getByRole("navigation", { name: "Sections" }).getByRole("link", { name }).tap();
      await titled(phone, name);
    }
    await phone.context().close();
  },

  async "a low window, or a much enlarged one, still shows rows"() {
    const low = await open("#channels", { viewport: { width: 320, height: 200 } });
    assert.deepEqual(await low.evaluate(narrow), []);
    const row = low.getByRole("link", { name: ids("channel").at(-1), exact: true });
    await row.click();
    await titled(low, ids("channel").at(-1));
    assert.ok(await low.locator("main").evaluate((main) => main.clientHeight) > 200);
    await low.context().close();
  },
});
