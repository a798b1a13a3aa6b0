"use strict";
const { connect, fact, run, settled } = require("./driver");

run(async () => {
  const everybody = await Promise.all(["ann", "bob", "cid"].map(() => connect("/news")));
  const [ann, bob, cid] = everybody;
  const names = new Map([[ann, "ann"], [bob, "bob"], [cid, "cid"]]);
  let told = [];
  for (const [socket, name] of names) {
    socket.on("told", (text) => told.push(`${name}: ${text}`));
    socket.on("question", (reply) => reply(name));
  }
  async function observe(name, actor, ...message) {
    told = [];
    actor.emit(...message);
    for (const socket of [actor, ...everybody]) await settled(socket);
    fact(name, told.sort());
  }

  fact("joined", [await ann.emitWithAck("join", "a"), await bob.emitWithAck("join", "a"), await bob.emitWithAck("join", "b")]);
  await observe("announce", ann, "announce", "x");
  await observe("broadcast", ann, "broadcast", "x");
  await observe("tell", bob, "tell", "a", "x");
  await observe("tell from outside", cid, "tell", "a", "x");
  await observe("tell all", bob, "tell_all", "a", "x");
  await observe("tell except", cid, "tell_except", "a", "b", "x");
  await observe("empty room", ann, "tell", "nobody is here", "x");
  await observe("tell one", cid, "tell", ann.id, "x");
  fact("survey", await cid.emitWithAck("survey", "a"));
  fact("left", await bob.emitWithAck("leave", "a"));
  await observe("after leaving", cid, "tell", "a", "x");
});
