"use strict";
// One client for each of the URLs, which are joined by commas. The test cuts their connections during a stream of numbered
// events, and ends it with the event "end".

const { fact, next, open, run, url } = require("./driver");

/** A client that comes back at once, whatever happens to it; it notes what it gets out of order. */
function start(address, index) {
  const client = { name: String(index), connections: 0, recovered: 0, received: 0, last: null, wrong: [] };
  const socket = open("/", {
    address,
    auth: { name: client.name },
    reconnection: true,
    reconnectionDelay: 2,
    reconnectionDelayMax: 10,
    // Cut between the answer to the WebSocket handshake and the Engine.IO handshake, the client notices nothing else.
    timeout: 500,
  });
  socket.on("connect", () => {
    client.connections += 1;
    client.recovered += socket.recovered;
  });
  socket.on("number", (number) => {
    if (client.last !== null && number !== client.last + 1) client.wrong.push([client.last, number]);
    client.last = number;
    client.received += 1;
  });
  return { client, socket, ended: next(socket, "end") };
}

run(async () => {
  const started = url.split(",").map(start);
  await Promise.all(started.map(({ socket }) => next(socket, "number")));
  fact("started", true);
  await Promise.all(started.map(({ ended }) => ended));
  fact("clients", started.map(({ client }) => client));
});
