"use strict";
// With the npm package socket.io-msgpack-parser in the place of the default encoding.
const parser = require("socket.io-msgpack-parser");
const { connect, fact, next, open, run, share } = require("./driver");

const EIGHT = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]);
const buffer = (size) => new Uint8Array(EIGHT.subarray(0, size)).buffer;
const VALUES = ["żółw 🐢", -3, 1.5, 2 ** 40, null, undefined, { a: [true, undefined] }, new Date(1700000000123), EIGHT];
const BUFFERS = [buffer(8), new Date(5), buffer(1), undefined, buffer(0), new Date(-6)];

/** A Date in words, so that it can be told from a text. */
function worded(value) {
  return value instanceof Date ? `date:${value.getTime()}` : value;
}

run(async () => {
  const socket = await connect("/", { parser, auth: { token: "secret" } });
  const ask = (...values) => new Promise((resolve) => socket.emit("echo", ...values, (...answer) => resolve(answer)));
  fact("acknowledged", (await ask(...VALUES)).map(worded));
  fact("buffers", (await ask(...BUFFERS)).map(worded));
  socket.emit("repeat", ...VALUES);
  fact("repeated", (await next(socket, "repeated")).map(worded));
  socket.on("look", (bytes, reply) => reply(bytes.subarray(1)));
  fact("asked", await socket.emitWithAck("ask", "look", EIGHT));
  const secret = share(socket, "/private", { auth: { token: "a guess" } });
  const [error] = await next(secret, "connect_error");
  fact("refused", { message: error.message, data: error.data });
  const stranger = open("/");
  fact("stranger", (await next(stranger.io, "close"))[0]);
  fact("still there", socket.connected);
});
