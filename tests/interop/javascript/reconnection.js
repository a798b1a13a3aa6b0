"use strict";
// The test restarts the server once it has read the fact "connected".
const { connect, fact, next, run } = require("./driver");

run(async () => {
  const socket = await connect("/", { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
  const firstId = socket.id;
  await socket.emitWithAck("join", "a");
  fact("connected", await socket.emitWithAck("echo", "before"));
  fact("disconnected", (await next(socket, "disconnect"))[0]);
  // Kept by the client until it is back.
  const answer = socket.emitWithAck("echo", "after");
  await next(socket, "connect");
  fact("answer", await answer);
  fact("new id", socket.id !== firstId);
  fact("rooms", await socket.emitWithAck("join", "b"));
});
