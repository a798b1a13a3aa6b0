"use strict";
const { connect, fact, next, run, settled, share } = require("./driver");

async function refusal(socket) {
  const [error] = await next(socket, "connect_error");
  return error.message;
}

run(async () => {
  const first = await connect("/room-1");
  const second = await connect("/room-2");
  const hall = share(first, "/hall-x");
  fact("refused", await refusal(hall));
  const member = share(first, "/tenant/acme", { auth: { tenant: "other" } });
  fact("not a member", await refusal(member));
  member.auth = { tenant: "acme" };
  member.connect();
  await next(member, "connect");
  fact("namespaces", [(await first.emitWithAck("who")).namespace, (await member.emitWithAck("who")).namespace]);

  const told = [];
  for (const socket of [first, second, member]) socket.on("told", (text) => told.push([socket.nsp, text]));
  await first.emitWithAck("announce_to_rooms", "fire");
  await Promise.all([first, second, member].map(settled));
  fact("told", told.sort());
});
