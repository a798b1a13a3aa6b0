"use strict";
// Two tabs with the page of ../browser.
const { browse } = require("./browser");
const { fact, url } = require("./driver");

browse(async (open) => {
  const ann = await open(`${url}/page.html`);
  const bob = await open(`${url}/page.html`);
  const both = (expression) => Promise.all([ann.evaluate(expression), bob.evaluate(expression)]);
  fact("outcome", await both("outcome"));
  fact("transports", await both("transports"));

  await ann.evaluate(`socket.emit("announce", "from ann")`);
  await ann.evaluate(`socket.emitWithAck("echo")`);
  await bob.evaluate(`socket.emit("broadcast", "from bob")`);
  await bob.evaluate(`socket.emitWithAck("echo")`);
  await ann.evaluate(`socket.emitWithAck("echo")`);
  fact("told", await both("told"));

  const bytes = (value) => `socket.emitWithAck("echo", ${value}).then((back) => Array.from(new Uint8Array(back)))`;
  fact("buffer", await ann.evaluate(bytes("new Uint8Array([1, 2]).buffer")));
  fact("blob", await ann.evaluate(bytes("new Blob([new Uint8Array([3, 4])])")));

  const bobsId = await bob.evaluate("socket.id");
  await bob.close();
  fact("closed tab", await ann.evaluate((id) => socket.emitWithAck("farewell", id), bobsId));
});
