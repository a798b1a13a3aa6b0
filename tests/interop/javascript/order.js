"use strict";
const { collect, connect, fact, run } = require("./driver");

const COUNT = 1000;

run(async () => {
  const socket = await connect();
  const items = collect(socket, "item", COUNT);
  socket.emit("flood", COUNT);
  fact("down", await items);
  socket.off("item");

  const mixed = collect(socket, "item", 100);
  socket.emit("mixed", 100);
  fact("mixed down", await mixed);

  const repeated = collect(socket, "repeated", COUNT);
  for (let number = 0; number < COUNT; number++) socket.emit("repeat", number % 3 ? number : Buffer.from([number % 256]));
  fact("up and down", await repeated);
});
