// What the scripts of this folder share: a browser, a record of what a page did, and a way to
// ask the test for what has to happen outside of the browser.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const tools = createRequire(`${process.env.PLAYWRIGHT}/`);
const { chromium } = tools("playwright-core");
export const AXE = tools.resolve("axe-core/axe.min.js");
export { assert };

/** The address of the page. */
export const URL_OF_PAGE = process.argv[2];
/** Longer than anything here takes, milliseconds: only a real fault runs into it. */
const LIMIT = 30_000;
/** Of a whole script. */
const SCRIPT_LIMIT = 240_000;
/** How often the page asks, by its own source; scripts that have its clock go on by that. */
export const POLL = 3_000;

setTimeout(() => {
  console.log("the script does not come to an end");
  process.exit(1);
}, SCRIPT_LIMIT).unref();

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has the test do something, or tell something. */
export async function ask(what) {
  console.log(`ask ${what}`);
  return (await answers.next()).value;
}

/** A name that the browser takes for this machine, and the agent for none of its own. */
export const FOREIGN_NAME = "evil.example";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Only so does it run as root; it sees loopback only.
  args: ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage",
    `--host-resolver-rules=MAP ${FOREIGN_NAME} 127.0.0.1`],
});

const records = [];

/** Opens the page in a context of its own; everything that it does is recorded. */
export async function open(hash = "", options = {}, prepare = async () => {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 }, colorScheme: "light", locale: "en-GB",
    timezoneId: "Europe/Berlin", ...options,
  });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  const record = { requests: [], trouble: [], excused: [] };
  records.push(record);
  page.on("request", (request) => record.requests.push(request.url()));
  page.on("dialog", (dialog) => {
    record.trouble.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => record.trouble.push(`an error: ${error.stack}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) record.trouble.push(message.text());
  });
  page.on("popup", () => record.trouble.push("another window"));
  page.excuse = (pattern) => record.excused.push(pattern);
  await prepare(page);
  await page.goto(URL_OF_PAGE + hash);
  await page.waitForSelector("h2");
  return page;
}

/** Whatever the pages did was right: no violation of the policy, nobody else was asked. */
function judge() {
  const own = new URL(URL_OF_PAGE).origin;
  for (const { requests, trouble, excused } of records) {
    const others = requests.filter((url) => !url.startsWith(`${own}/`) && !url.startsWith("data:"));
    assert.deepEqual(others, [], "somebody else was asked");
    const bad = trouble.filter((said) => !excused.some((pattern) => pattern.test(said)));
    assert.deepEqual(bad, [], "the browser complains");
  }
}

/** Runs cases by their names, one after the other; the script ends with the first that fails. */
export async function cases(all) {
  let failed = false;
  try {
    for (const [name, run] of Object.entries(all)) {
      const began = performance.now();
      try {
        await run();
      } catch (error) {
        throw new Error(`${name}: ${error.stack}`, { cause: error });
      }
      console.log(`ok: ${name} (${Math.round(performance.now() - began)} ms)`);
    }
    judge();
  } catch (error) {
    console.log(error.message);
    failed = true;
  }
  await browser.close();
  process.exit(failed ? 1 : 0);
}

/** Goes to a section by its address, as a link does. */
export async function go(page, hash, title) {
  await page.evaluate((to) => { location.hash = to; }, hash);
  await titled(page, title);
}

/** Waits until what is shown has this title. */
export const titled = (page, title) => page.waitForFunction(
  (wanted) => document.querySelector("h2 span")?.textContent === wanted, title);

/** The sections with their titles, and what opens. */
export const SECTIONS = {
  "#general": "General",
  "#channels": "Channels",
  "#endpoints": "Origin Endpoints",
  "#metrics": "Operational Metrics",
  "#metrics/endpoints": "Operational Metrics",
  "#metrics/vod": "Operational Metrics",
  "#alarms": "Alarms",
  "#sns": "SNS Messages",
  "#groups": "Channel Groups",
  "#jobs": "Harvest Jobs",
  "#vod": "VOD",
};

/** The texts of a table: rows of cells, by its name. */
export const cells = (page, title) => page.getByRole("table", { name: title, exact: true })
  .evaluate((table) => Array.from(table.querySelectorAll("tbody tr:not(.spacer)"), (row) =>
    Array.from(row.cells, (cell) =>
      Array.from(cell.children, (part) => part.textContent).join(" "))));

/** The value of a fact, by the title of its panel and its term. */
export const fact = (page, panel, term) =>
  page.locator("section.panel", { has: page.getByRole("heading", { name: panel, exact: true }) })
    .locator("div", { has: page.locator("dt", { hasText: new RegExp(`^${term}$`) }) })
    .locator("dd").innerText();
