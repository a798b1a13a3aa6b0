"use strict";
const { connect, fact, next, run, transport } = require("./driver");
const { createHash } = require("crypto");

const LIMIT = 1_000_000;
const hash = (value) => createHash("sha256").update(value).digest("hex");

/** What came back of `value`: its length, and whether it is the same. */
async function roundTrip(socket, value) {
  const back = await socket.emitWithAck("echo", value);
  return { length: back.length, same: hash(back) === hash(value) };
}

run(async () => {
  const socket = await connect();
  fact("text", await roundTrip(socket, "é".repeat(10) + "x".repeat(LIMIT - 100)));
  // Base64 makes bytes a third longer on long-polling.
  fact("binary", await roundTrip(socket, Buffer.alloc(transport === "polling" ? 740_000 : LIMIT, "0123456789")));
  const many = Array.from({ length: 40 }, (_, number) => String(number % 10).repeat(100_000));
  fact("together", await Promise.all(many.map((value) => roundTrip(socket, value).then(({ same }) => same))));

  socket.emit("echo", "x".repeat(LIMIT));
  const [reason] = await next(socket, "disconnect");
  fact("too big", reason);
  const other = await connect();
  fact("others", await other.emitWithAck("echo", "fine"));
});
