// A thousand channels with four endpoints each: what it costs is shown, what is held is that all
// rows can be reached and that few elements are there at a time.

import { assert, cases, go, open } from "./page.mjs";

/** Elements of the whole document, whatever the number of rows. */
const ELEMENTS_MAX = 6_000;

/** Scrolls to the end, a step a frame; runs in the page. */
async function scroll() {
  const region = document.querySelector(".region");
  const seen = new Set();
  const frames = [];
  let last = await new Promise(requestAnimationFrame);
  let elements = 0;
  for (let there = -1; region.scrollTop !== there;) {
    for (const name of region.querySelectorAll("tbody th")) seen.add(name.textContent);
    elements = Math.max(elements, document.getElementsByTagName("*").length);
    there = region.scrollTop;
    region.scrollTop += 800;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  frames.sort((a, b) => a - b);
  return { rows: seen.size, elements, frames: frames.length,
    median: frames[Math.floor(frames.length / 2)], longest: frames.at(-1) };
}

const ms = (value) => `${Math.round(value)} ms`;
const page = await open("#endpoints");

await cases({
  async "the first paint is shown"() {
    await page.waitForSelector("tbody th a");
    const { paint, rows, bytes } = await page.evaluate(() => {
      const resources = performance.getEntriesByType("resource");
      const state = resources.find(({ name }) => name.includes("api/state"));
      return {
        paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
        rows: performance.now(), bytes: state.decodedBodySize,
      };
    });
    console.log(`first paint ${ms(paint)}, rows before ${ms(rows)}, state ${bytes} bytes`);
  },

  async "all rows can be reached, and few are there"() {
    for (const [hash, title, wanted] of [
      ["#endpoints", "Origin Endpoints", 4000], ["#channels", "Channels", 1000],
    ]) {
      await go(page, hash, title);
      const { rows, elements, frames, median, longest } = await page.evaluate(scroll);
      console.log(`${hash}: ${frames} frames, median ${ms(median)}, longest ${ms(longest)}, ` +
        `${elements} elements`);
      assert.equal(rows, wanted, hash);
      assert.ok(elements < ELEMENTS_MAX, `${elements} elements`);
    }
  },

  async "the row in focus keeps the keyboard when it scrolls away"() {
    await go(page, "#endpoints", "Origin Endpoints");
    await page.evaluate(() => { document.querySelector(".region").scrollTop = 0; });
    await page.getByRole("link", { name: "ch-0000-cmaf", exact: true }).focus();
    await page.evaluate(() => { document.querySelector(".region").scrollTop = 1e6; });
    await page.getByRole("link", { name: "ch-0999-mss", exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.className), "region");
    const last = await page.evaluate(() =>
      document.querySelector("tbody tr:nth-last-child(2)").ariaRowIndex);
    assert.equal(last, "4001");
  },

  async "sorting and filtering take a moment"() {
    const took = await page.evaluate(() => {
      const began = performance.now();
      document.querySelectorAll("thead button")[2].click();
      const sorted = performance.now();
      const input = document.querySelector("input");
      input.value = "ch-050";
      input.dispatchEvent(new Event("input"));
      document.body.offsetHeight;
      return [sorted - began, performance.now() - sorted];
    });
    console.log(`sorting ${ms(took[0])}, filtering ${ms(took[1])}`);
    assert.equal(await page.locator(".tools [aria-live]").innerText(), "40 of 4,000");
  },
});
