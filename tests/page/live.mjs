// What happens in the region and to the agent is seen without loading the page again.

import { ask, assert, cases, cells, fact, go, open, titled } from "./page.mjs";

/** The page lives through a second in so many milliseconds: it asks every few of its seconds. */
const SECOND = 100;

const page = await open("#channels", {}, async (page) => {
  await page.clock.install();
  await page.addInitScript(() => {
    globalThis.waits = [];
    const { timeout } = AbortSignal;
    AbortSignal.timeout = (ms) => {
      globalThis.waits.push(ms);
      return timeout.call(AbortSignal, ms);
    };
  });
});
setInterval(() => page.clock.runFor(1_000).catch(() => {}), SECOND);
// The browser itself says so of each question while nobody answers.
page.excuse(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET/);
await page.evaluate(() => { globalThis.sameDocument = true; });
const names = async () => (await cells(page, "Channels")).map((row) => row[0]);
const alerts = page.locator("#alerts");

await cases({
  async "a change is seen, and filter, focus, selection and scroll stay"() {
    await page.waitForSelector("tbody th a");
    await page.getByLabel("Filter").fill("ch-000");
    await page.evaluate(() => {
      globalThis.row = document.querySelector("tbody tr:not(.spacer):nth-of-type(3)");
      getSelection().selectAllChildren(globalThis.row.cells[0]);
      document.querySelector(".region").scrollLeft = 200;
      globalThis.row.querySelector("a").focus({ preventScroll: true });
    });
    const id = await page.evaluate(() => document.activeElement.textContent);
    assert.match(id, /^ch-000\d$/);
    await ask("describe");
    await page.getByText("Now with commercials").waitFor();
    const kept = await page.evaluate(() => ({
      document: globalThis.sameDocument,
      row: globalThis.row.isConnected,
      focus: document.activeElement.textContent,
      selection: String(getSelection()).trim(),
      left: document.querySelector(".region").scrollLeft,
      filter: document.querySelector("input").value,
    }));
    assert.deepEqual(kept,
      { document: true, row: true, focus: id, selection: id, left: 200, filter: "ch-000" });
  },

  async "a channel comes and goes"() {
    await page.getByLabel("Filter").fill("");
    await ask("add");
    await page.getByRole("link", { name: "added", exact: true }).click();
    await titled(page, "added");
    assert.equal(await fact(page, "Channel", "Endpoints"), "2");
    await ask("remove");
    await page.getByText("There is no channel of this name, or not any more.").waitFor();
    assert.equal(await page.locator("h2 .badge").innerText(), "gone");
    await go(page, "#channels", "Channels");
    assert.deepEqual((await names()).sort(), ["ch-0000", "ch-0001", "ch-0002"]);
  },

  async "an alarm is seen where it matters"() {
    await ask("alarm");
    await page.getByRole("row", { name: /^ch-0000 critical/ }).waitFor();
    await page.locator("nav").getByText("1 active").waitFor();
    assert.equal((await names())[0], "ch-0000", "the worst comes first");
    await ask("calm");
    await page.getByRole("row", { name: /^ch-0000 ok/ }).waitFor();
  },

  async "a row that others overtake keeps the focus"() {
    await go(page, "#channels", "Channels");
    const health = page.getByRole("columnheader", { name: "Health" });
    await health.getByRole("button").click();
    assert.equal(await health.getAttribute("aria-sort"), "descending");
    assert.deepEqual(await names(), ["ch-0000", "ch-0001", "ch-0002"]);
    await page.getByRole("link", { name: "ch-0001", exact: true }).focus();
    await ask("alarm");
    await page.getByRole("row", { name: /^ch-0000 critical/ }).waitFor();
    assert.deepEqual(await names(), ["ch-0001", "ch-0002", "ch-0000"]);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "ch-0001");
    await ask("calm");
    await page.getByRole("row", { name: /^ch-0000 ok/ }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "ch-0001");
    await health.getByRole("button").click();
  },

  async "an agent that is away for hours is asked twice a minute at the most"() {
    let asked = 0;
    const other = await open("#channels", {}, (page) => page.clock.install());
    other.excuse(/ERR_FAILED/);
    await other.route("**/api/**", (route) => {
      asked += 1;
      return route.abort();
    });
    const minutes = 30;
    for (let second = 0; second < minutes * 60; second += 15) await other.clock.runFor(15_000);
    await other.getByText(/^The agent has not answered since .*: no connection\./).waitFor();
    assert.ok(asked > 2 && asked <= 2 * minutes + 4, `asked ${asked} times`);
    await other.context().close();
  },

  async "ages go on by the agent's clock, not the browser's"() {
    const time = new Date("2031-05-05T05:05:05Z");
    const other = await open("", {}, (page) => page.clock.install({ time }));
    const started = () => fact(other, "Agent", "Started");
    const seconds = async () => Number(/^(\d+) s ago$/.exec(await started())[1]);
    const before = await seconds();
    // Nobody tells the time any more.
    await other.route("**/api/**", () => {});
    await other.clock.runFor(15_000);
    const more = await seconds() - before;
    assert.ok(more >= 14 && more <= 16, `${more} s later`);
    await other.context().close();
  },

  async "a hidden page asks nothing, and catches up when it is seen again"() {
    const asked = [];
    const other = await open("#channels", {}, async (page) => {
      await page.clock.install();
      page.on("request", (request) => asked.push(request.url()));
    });
    const hide = (hidden) => other.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await hide(true);
    await other.waitForLoadState("networkidle");
    const before = asked.length;
    await other.clock.runFor(600_000);
    assert.equal(asked.length, before);
    const answered = other.waitForResponse(/api\/state/);
    await hide(false);
    await answered;
    await other.context().close();
  },

  async "a source that fails is said, with the reason, and when it is over"() {
    await ask("refuse");
    const said = /^Source metrics has been failing since .* UTC\. .*not authorized/;
    await alerts.getByText(said).waitFor();
    assert.equal(await alerts.getAttribute("role"), "alert");
    await ask("allow");
    await alerts.getByText("Source metrics").waitFor({ state: "detached" });
  },

  async "an agent that is gone is said, the picture stays in grey, and it comes back"() {
    await page.evaluate(() => { globalThis.waits = []; });
    await ask("kill");
    await alerts.getByText(/^The agent has not answered since .* UTC: /).waitFor();
    assert.equal((await cells(page, "Channels")).length, 3);
    const grey = () => page.locator("main").evaluate((main) => getComputedStyle(main).filter);
    assert.equal(await grey(), "grayscale(1)");
    // On a slow line the first answer needs time; and who is away is waited for, but not for ever.
    await page.waitForFunction(() => globalThis.waits.filter((ms) => ms === 60_000).length > 1);
    const waits = await page.evaluate(() => [...new Set(globalThis.waits)]);
    assert.deepEqual(waits, [20_000, 40_000, 60_000]);
    await ask("start");
    await alerts.getByText("The agent has not").waitFor({ state: "detached" });
    assert.equal(await grey(), "none");
    await page.getByRole("row", { name: /^ch-0000 ok/ }).waitFor();
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
  },
});
