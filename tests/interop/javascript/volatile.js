"use strict";
const { connect, fact, next, run } = require("./driver");

run(async () => {
  const socket = await connect();
  const ticks = [];
  socket.on("tick", (number) => ticks.push(number));
  const tock = next(socket, "tock");
  socket.emit("chatter", 100);
  await tock;
  fact("ticks", ticks);
});
