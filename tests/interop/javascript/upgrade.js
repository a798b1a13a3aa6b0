"use strict";
const { fact, next, open, run, settled } = require("./driver");

const FLOOD = 200;

run(async () => {
  const socket = open();
  const down = [];
  const back = [];
  socket.on("item", (number) => down.push(number));
  socket.on("repeated", (number) => back.push(number));
  let upgraded = false;
  const connected = next(socket, "connect");
  await next(socket.io, "open");
  const { engine } = socket.io;
  const names = [engine.transport.name];
  engine.once("upgrade", () => (upgraded = true));
  await connected;

  // Both ways stay busy during the upgrade and a little longer: nothing may get lost, doubled or out of order.
  let sent = 0;
  socket.emit("flood", FLOOD);
  for (let extra = 0; extra < 3; extra += upgraded) {
    for (let burst = 0; burst < 5; burst++) socket.emit("repeat", sent++);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await settled(socket);
  names.push(engine.transport.name);
  fact("transports", names);
  fact("down", down);
  fact("sent", sent);
  fact("back", back);
});
