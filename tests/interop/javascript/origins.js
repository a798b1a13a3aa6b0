"use strict";
// `node origins.js URL CHROMIUM SITE`: the page of ../browser comes from SITE, and connects to URL.
const { browse } = require("./browser");
const { fact, url } = require("./driver");

const [site] = process.argv.slice(4);

browse(async (open) => {
  const page = await open(`${site}/page.html?server=${url}`);
  fact("outcome", await page.evaluate("outcome"));
  await page.goto(`${site}/page.html?transport=websocket&server=${url}`);
  fact("websocket", await page.evaluate("outcome"));
});
