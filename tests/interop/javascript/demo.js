"use strict";
// Two tabs with the chat that the server serves by itself.
const { browse } = require("./browser");
const { fact, url } = require("./driver");

/** The chat in a tab of its own, upgraded, under a name. */
async function enter(open, name) {
  const page = await open(url);
  await page.locator("#state", { hasText: "websocket" }).waitFor();
  await page.locator("#nick").fill(name);
  await page.locator("#nick").press("Enter");
  await page.locator("#people", { hasText: name }).waitFor();
  return page;
}

const people = (page) => page.locator("#people li").evaluateAll((items) => items.map((item) => item.firstChild.textContent));

browse(async (open) => {
  const ann = await enter(open, "Ann");
  const bob = await enter(open, "Bob");
  await ann.locator("#people", { hasText: "Bob" }).waitFor();
  const states = await Promise.all([ann, bob].map((page) => page.locator("#state").textContent()));
  fact("transports", states.map((state) => state.split(" ")[0]));
  fact("people", [await people(ann), await people(bob)]);

  await ann.locator("#text").fill("hello");
  await ann.locator("#text").press("Enter");
  const heard = bob.locator("#talk li.first");
  await heard.waitFor();
  fact("heard", [await heard.locator("b").textContent(), await heard.locator("span").textContent()]);
  fact("said", await ann.locator("#talk li.mine:not(.sending)").textContent());

  await bob.close();
  await ann.locator("#people", { hasText: "Bob" }).waitFor({ state: "hidden" });
  fact("left", await people(ann));
});
