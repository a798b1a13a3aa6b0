"use strict";
const { connect, fact, next, run } = require("./driver");

const VALUES = ["text", "", "żółw 🐢\u2028", 0, -1.5, 1e21, true, null, [], {}, { deep: [{ er: [1, [2, [3]]] }] }];

run(async () => {
  const socket = await connect();
  fact("transport", socket.io.engine.transport.name);
  fact("acknowledged", await new Promise((resolve) => socket.emit("echo", ...VALUES, (...answer) => resolve(answer))));
  socket.emit("repeat", ...VALUES);
  fact("repeated", await next(socket, "repeated"));
  socket.emit("repeat");
  fact("nothing", await next(socket, "repeated"));
});
