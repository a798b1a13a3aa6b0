"use strict";
const { connect, fact, next, run } = require("./driver");

const ALL = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

run(async () => {
  const socket = await connect();
  const values = [ALL, Buffer.alloc(0), { file: { body: Buffer.from([0, 255]), name: "a" } }, [Buffer.from([1])], "text"];
  fact("acknowledged", await new Promise((resolve) => socket.emit("echo", ...values, (...answer) => resolve(answer))));
  socket.emit("repeat", ...values);
  fact("repeated", await next(socket, "repeated"));
  socket.on("look", (bytes, reply) => reply(Buffer.from(bytes).reverse()));
  fact("asked", await socket.emitWithAck("ask", "look", Buffer.from([1, 2, 3])));
});
