"use strict";
// For scenarios in a real browser: `node NAME.js URL CHROMIUM …`.
const { chromium } = require("playwright-core");
const { fact, run } = require("./driver");

const [executablePath] = process.argv.slice(3);

/** Chromium tries to reach its makers otherwise, and has no sandbox when root starts it. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Runs a scenario with a function that opens a page in a tab of its own. */
function browse(scenario) {
  return run(async () => {
    const browser = await chromium.launch({ executablePath, args: FLAGS });
    try {
      const context = await browser.newContext();
      await scenario(async (address) => {
        const page = await context.newPage();
        page.on("pageerror", (error) => fact("unexpected", String(error)));
        await page.goto(address);
        return page;
      });
    } finally {
      await browser.close();
    }
  });
}

module.exports = { browse };
