"use strict";
const { connect, fact, next, run, share } = require("./driver");

run(async () => {
  const witness = await connect();
  async function observe(name, act) {
    const socket = await connect("/news");
    const { id } = socket;
    const gone = next(socket, "disconnect");
    act(socket);
    const [client] = await gone;
    fact(name, { client, server: await witness.emitWithAck("farewell", id) });
  }

  await observe("client leaves", (socket) => socket.disconnect());
  await observe("client closes", (socket) => socket.io.engine.close());
  await observe("server dismisses", (socket) => socket.emit("dismiss", false));
  await observe("server closes", (socket) => socket.emit("dismiss", true));

  const first = await connect("/news");
  const second = share(first, "/room");
  await next(second, "connect");
  const ids = [first.id, second.id];
  const both = Promise.all([next(first, "disconnect"), next(second, "disconnect")]);
  first.emit("dismiss", true);
  const client = (await both).map(([reason]) => reason);
  const server = await Promise.all(ids.map((id) => witness.emitWithAck("farewell", id)));
  fact("server closes all namespaces", { client, server });
});
