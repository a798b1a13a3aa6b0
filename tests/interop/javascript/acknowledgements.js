"use strict";
const { connect, fact, run } = require("./driver");

run(async () => {
  const socket = await connect();
  socket.on("one", (value, reply) => reply(value + 1));
  socket.on("several", (reply) => reply("a", { b: 1 }, null));
  socket.on("mute", () => {});
  fact("one", await socket.emitWithAck("ask", "one", 41));
  fact("several", await socket.emitWithAck("ask", "several"));
  fact("mute", await socket.emitWithAck("ask", "mute"));
  fact("late", await socket.timeout(200).emitWithAck("silence").catch((error) => error.message));
  fact("in time", await socket.timeout(5000).emitWithAck("later", 10, "here"));
  const order = [];
  const slow = socket.emitWithAck("later", 100, "slow").then((value) => order.push(value));
  const quick = socket.emitWithAck("later", 0, "quick").then((value) => order.push(value));
  await Promise.all([slow, quick]);
  fact("order", order);
});
