// Texts that would be more than text in a careless page. The test answers with them.

import { narrow } from "./measure.mjs";
import { ask, assert, cases, cells, fact, go, open, titled } from "./page.mjs";

const TEXTS = JSON.parse(await ask("texts"));
const page = await open();
const elements = () => page.evaluate(() =>
  Array.from(document.querySelectorAll("img, script, iframe, svg, [onload], [onerror]"), (node) =>
    node.outerHTML.slice(0, 60)).filter((html) => !html.startsWith("<svg class=")));
const own = await elements();
const opened = (kind, id) => go(page, `#${kind}/${encodeURIComponent(id)}`, id);

await cases({
  async "channels are called what they are called"() {
    await go(page, "#channels", "Channels");
    const shown = (await cells(page, "Channels")).map((row) => row[0]);
    assert.deepEqual(shown.sort(), [...TEXTS].sort());
    assert.deepEqual(await elements(), own);
  },

  async "descriptions and tags are what they are, in each channel"() {
    for (const [at, id] of TEXTS.entries()) {
      const text = TEXTS.at(-1 - at);
      await go(page, "#channels", "Channels");
      await page.getByRole("link", { name: id, exact: true }).click();
      await titled(page, id);
      const note = page.locator("section > p.note").nth(1);
      assert.equal(await note.evaluate((node) => node.textContent), text);
      assert.equal(await fact(page, "Channel", "Tags"), `${text}=${id}`);
      assert.deepEqual(await elements(), own);
    }
  },

  async "an address that is not of the web is no link"() {
    await opened("endpoint", `${TEXTS[0]}-hls`);
    assert.equal(await fact(page, "Origin endpoint", "URL"), "javascript:alert(6)//https://x");
    const links = await page.evaluate(() => Array.from(document.links, (link) => link.href));
    assert.deepEqual(links.filter((link) => !link.startsWith("http")), []);
  },

  async "alarms say what they say"() {
    await go(page, "#alarms", "Alarms");
    const shown = (await cells(page, "Alarms")).map((row) => row[0]);
    assert.deepEqual(shown.sort(), [...TEXTS].sort());
    await page.getByRole("link", { name: TEXTS[1], exact: true }).first().click();
    await titled(page, TEXTS[1]);
    assert.equal(await fact(page, "Alarm", "Reason"), TEXTS.at(-2));
    assert.deepEqual(await elements(), own);
  },

  async "messages say what they say"() {
    await go(page, "#sns", "SNS Messages");
    const message = page.locator("details", { hasText: TEXTS[0] }).filter({ hasText: "said" });
    await message.locator("summary").click();
    assert.equal(await message.locator("summary .title").innerText(), TEXTS[0]);
    const { said } = JSON.parse(await message.locator("pre").textContent());
    assert.deepEqual(said, TEXTS);
    assert.deepEqual(await elements(), own);
  },

  async "none of them makes a phone scroll sideways"() {
    const phone = await open("", { viewport: { width: 320, height: 740 }, isMobile: true });
    for (const id of TEXTS) {
      for (const [hash, title] of [[`channel/${encodeURIComponent(id)}`, id], ["sns", "SNS Messages"],
        [`endpoint/${encodeURIComponent(`${id}-hls`)}`, `${id}-hls`]]) {
        await go(phone, `#${hash}`, title);
        assert.deepEqual(await phone.evaluate(narrow), [], hash);
      }
    }
    await phone.context().close();
  },

  async "an address of the page is no way in"() {
    for (const hash of ["#channel/%", "#channel/<img src=x onerror=alert(7)>", "#constructor",
      "#metrics/constructor", "#channel/__proto__"]) {
      await page.evaluate((to) => { location.hash = to; }, hash);
      await page.waitForFunction(() => document.querySelector("h2 span"));
      assert.deepEqual(await elements(), own, hash);
    }
  },
});
