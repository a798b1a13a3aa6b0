"use strict";
// With the parser of the example, against the example.
const parser = require("../../../examples/own_parser");
const { connect, fact, next, run } = require("./driver");

run(async () => {
  const socket = await connect("/", { parser });
  const echo = next(socket, "echo");
  fact("answer", await socket.emitWithAck("shout", "quiet"));
  fact("echo", await echo);
});
