// The picture of the README: a region in which one channel is in trouble.

import { statSync } from "node:fs";
import { assert, cases, go, open } from "./page.mjs";

const BYTES_MAX = 200_000;

await cases({
  async "a channel in trouble"() {
    const page = await open("#channels", { viewport: { width: 1280, height: 860 } });
    await go(page, "#channel/sports-1", "sports-1");
    await page.getByRole("img", { name: /^Egress, last hour: now [\d.]+ Mbit/ }).waitFor();
    await page.getByText("Ingest is lost").waitFor();
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: process.env.PICTURE });
    const bytes = statSync(process.env.PICTURE).size;
    console.log(`${process.env.PICTURE}: ${bytes} bytes`);
    assert.ok(bytes < BYTES_MAX, `${bytes} bytes`);
  },
});
