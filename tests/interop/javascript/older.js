"use strict";
// With an older client: `node older.js URL TRANSPORT PACKAGE [PARSER]`. What they have not yet is done by hand.
const { connect, fact, next, run, share, use } = require("./driver");

const [name, encoding] = process.argv.slice(4);
const isVersion2 = name.endsWith("v2");
use(require(name));

const BYTES = Buffer.from([0, 1, 2, 255]);
const VALUES = ["żółw 🐢", -3, 1.5, null, { a: [true, BYTES] }, BYTES, Buffer.alloc(0), ""];

/** Credentials, where this version has them. */
const show = (credentials) => (isVersion2 ? { query: credentials } : { auth: credentials });

/** What the server answers to an event. */
function ask(socket, ...args) {
  return new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer)));
}

/** Why the server lets nobody in. */
async function refusal(socket) {
  const [error] = await next(socket, isVersion2 ? "error" : "connect_error");
  return error instanceof Error ? { message: error.message, data: error.data } : error;
}

run(async () => {
  const parser = encoding && require(encoding);
  const socket = await connect("/", { parser, query: { fruit: "kiwi" } });
  const [main] = await ask(socket, "who");
  fact("transport", socket.io.engine.transport.name);
  fact("fruit", main.fruit);
  fact("ids", [main.id === socket.id, socket.id === socket.io.engine.id]);
  fact("acknowledged", await ask(socket, "echo", ...VALUES));
  socket.emit("repeat", ...VALUES);
  fact("repeated", await next(socket, "repeated"));
  socket.on("look", (bytes, reply) => reply(Buffer.from(bytes).reverse()));
  fact("asked", (await ask(socket, "ask", "look", BYTES))[0]);
  const items = [];
  socket.on("item", (item) => items.push(typeof item === "number" ? item : Buffer.from(item)[0]));
  socket.emit("mixed", 100);
  await ask(socket, "echo");
  fact("in order", items.length === 100 && items.every((item, index) => item === index));

  // From here on all namespaces share the one connection.
  if (!(isVersion2 && encoding)) {
    // That decoder throws, where nobody catches it, when a refusal is more than a text.
    fact("refused", await refusal(share(socket, "/private", show({ token: "a guess" }))));
    fact("unknown", await refusal(share(socket, "/nowhere")));
  }
  const room = share(socket, "/room-1", show({ name: "ann", token: "a b&c" }));
  await next(room, "connect");
  const [told] = await ask(room, "who");
  fact("room", [told.id === room.id, told.namespace, told.auth]);
  socket.on("told", (text) => fact("told in /", text));
  room.on("told", (text) => fact("told in /room-1", text));
  room.emit("announce", "hello");
  await ask(room, "echo");
  room.disconnect();
  fact("farewell", (await ask(socket, "farewell", told.id))[0]);

  const other = await connect("/", { parser });
  other.emit("dismiss", false);
  fact("dismissed", await next(other, "disconnect"));
});
