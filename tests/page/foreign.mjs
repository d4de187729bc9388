// What a page of somebody else's gets, in a browser that has the agent in reach: nothing.

import { createServer } from "node:http";

import { FOREIGN_NAME, URL_OF_PAGE, assert, cases, open } from "./page.mjs";

const PATHS = ["", "api/state", "api/history?channel=ch-0000", "metrics", "healthz"];

const server = createServer((_, answer) => {
  answer.setHeader("Content-Type", "text/html");
  answer.end("<!doctype html><title>foreign</title><body>");
});
await new Promise((listening) => { server.listen(0, "127.0.0.1", listening); });

const page = await open();
const foreign = await page.context().newPage();
const stranger = `http://127.0.0.1:${server.address().port}/`;

await cases({
  async "another origin reads nothing and writes nothing"() {
    await foreign.goto(stranger);
    for (const path of PATHS) {
      const got = await foreign.evaluate(async (url) => {
        const said = (asked) => asked.then((answer) => `${answer.type} ${answer.status}`, () => "no");
        const loaded = (tag, key) => new Promise((end) => {
          const made = document.createElement(tag);
          made.onload = () => end("loaded");
          made.onerror = () => end("no");
          made[key] = url;
          document.body.append(made);
        });
        return {
          cors: await said(fetch(url)),
          opaque: await said(fetch(url, { mode: "no-cors" })),
          post: await said(fetch(url, { method: "POST", body: "{}" })),
          asked: await said(fetch(url, { headers: { "If-None-Match": "*" } })),
          script: await loaded("script", "src"),
          image: await loaded("img", "src"),
        };
      }, URL_OF_PAGE + path);
      assert.deepEqual(got, { cors: "no", opaque: "no", post: "no", asked: "no", script: "no",
        image: "no" }, path);
    }
  },

  async "another origin does not frame it"() {
    for (const path of PATHS) {
      await foreign.goto(stranger);
      await foreign.evaluate((url) => new Promise((end) => {
        const frame = document.createElement("iframe");
        frame.onload = end;
        frame.src = url;
        document.body.append(frame);
      }), URL_OF_PAGE + path);
      const [, frame] = foreign.frames();
      assert.equal(new URL(frame.url()).protocol, "chrome-error:", path);
    }
  },

  async "a name of somebody else's that comes to mean this machine shows nothing"() {
    const { port } = new URL(URL_OF_PAGE);
    for (const path of PATHS) {
      const answer = await foreign.goto(`http://${FOREIGN_NAME}:${port}/${path}`);
      assert.equal(answer.status(), 421, path);
      assert.match(await answer.text(), /\[status\] hosts/);
    }
    const read = await foreign.evaluate(async () => (await fetch("/api/state")).status);
    assert.equal(read, 421);
  },
});
