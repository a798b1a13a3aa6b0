"use strict";
const { connect, fact, next, run, share } = require("./driver");

async function refusal(socket) {
  const [error] = await next(socket, "connect_error");
  return { message: error.message, data: error.data, connected: socket.connected };
}

run(async () => {
  const auth = { name: "ann", token: "secret" };
  const options = { auth, query: { fruit: "kiwi" }, extraHeaders: { "X-Agent": "Smith" } };
  const main = await connect("/", options);
  fact("main", { ...(await main.emitWithAck("who")), id: null });

  // From here on all namespaces share the one connection.
  const secret = share(main, "/private", { auth: { token: "a guess" } });
  fact("refused", await refusal(secret));
  fact("unknown", await refusal(share(main, "/nowhere")));
  secret.auth = auth;
  secret.connect();
  const room = share(main, "/room");
  await Promise.all([next(secret, "connect"), next(room, "connect")]);
  fact("private", { ...(await secret.emitWithAck("who")), id: null });
  fact("room", (await room.emitWithAck("who")).namespace);
  fact("ids", new Set([main.id, secret.id, room.id, main.io.engine.id]).size);
  const told = [];
  for (const socket of [main, secret, room]) socket.on("told", (text) => told.push([socket.nsp, text]));
  for (const socket of [main, secret, room]) socket.emit("announce", "from " + socket.nsp);
  await Promise.all([main, secret, room].map((socket) => socket.emitWithAck("echo")));
  fact("told", told);

  room.disconnect();
  fact("left", [await main.emitWithAck("echo", "still here"), main.connected, secret.connected, room.connected]);
});
