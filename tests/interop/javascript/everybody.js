"use strict";
const { connect, fact, next, run } = require("./driver");

run(async () => {
  const [ann, bob, cid] = [await connect("/crowd"), await connect("/crowd"), await connect("/crowd")];
  const names = { [ann.id]: "ann", [bob.id]: "bob", [cid.id]: "cid" };
  await bob.emitWithAck("register", "bob");
  await ann.emitWithAck("move", [ann.id, bob.id], "hall");
  const told = await ann.emitWithAck("who", "hall");
  fact("hall", told.map(({ id, ...rest }) => ({ name: names[id], ...rest })).sort((a, b) => (a.name < b.name ? -1 : 1)));
  const ends = [bob, cid].map((socket) => next(socket, "disconnect"));
  await ann.emitWithAck("send away", [bob.id], false);
  await ann.emitWithAck("send away", [cid.id], true);
  fact("ends", (await Promise.all(ends)).map(([reason]) => reason));
  fact("left", (await ann.emitWithAck("who", ann.id)).length);
  fact("rooms", (await ann.emitWithAck("rooms")).map((event) => event.map((word) => names[word] || word)));
});
