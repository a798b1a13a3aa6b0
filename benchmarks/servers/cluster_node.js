// One node of the cluster benchmarks on Node's socket.io: cluster_node.js URL [recovery].

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { createClient } = require("redis");
const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { createAdapter: createStreamsAdapter } = require("@socket.io/redis-streams-adapter");

const [url, recovery] = process.argv.slice(2);
const kind = /^redis\+?(\w*):/.exec(url)[1];

async function main() {
  const connect = () => createClient({ url: url.replace(/\+\w+:/, ":") }).connect();
  const adapters = {
    "": async () => createAdapter(await connect(), await connect()),
    sharded: async () => createShardedAdapter(await connect(), await connect()),
    streams: async () => createStreamsAdapter(await connect()),
  };
  const options = { adapter: await adapters[kind]() };
  if (recovery) options.connectionStateRecovery = {};
  const httpServer = createServer();
  const io = new Server(httpServer, options);
  io.on("connection", (socket) => {
    socket.on("publish", (data) => io.emit("news", data));
    socket.on("whisper", (data) => io.to("elsewhere").emit("news", data));
  });
  httpServer.listen(0, "127.0.0.1", () => console.log(httpServer.address().port));
}

main();
process.stdin.resume().on("end", () => process.exit());
