// One node of the cluster benchmarks on Node's socket.io: cluster_node.js URL [recovery] [watch].
// It prints its port and, if it is to watch that, in the end for how many milliseconds its event loop was held up at worst.

const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { createClient } = require("redis");
const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { createAdapter: createStreamsAdapter } = require("@socket.io/redis-streams-adapter");

// Milliseconds between two looks at the clock.
const INTERVAL = 5;

const [url, ...words] = process.argv.slice(2);
const kind = /^redis\+?(\w*):/.exec(url)[1];

async function main() {
  const connect = () => createClient({ url: url.replace(/\+\w+:/, ":") }).connect();
  const adapters = {
    "": async () => createAdapter(await connect(), await connect()),
    sharded: async () => createShardedAdapter(await connect(), await connect()),
    streams: async () => createStreamsAdapter(await connect()),
  };
  const options = { adapter: await adapters[kind]() };
  if (words.includes("recovery")) options.connectionStateRecovery = {};
  const httpServer = createServer();
  const io = new Server(httpServer, options);
  io.on("connection", (socket) => {
    socket.on("publish", (data) => io.emit("news", data));
    socket.on("whisper", (data) => io.to("elsewhere").emit("news", data));
  });
  httpServer.listen(0, "127.0.0.1", () => {
    console.log(httpServer.address().port);
    if (words.includes("watch")) watch();
  });
}

let longest = 0;

function watch() {
  let last = now();
  setInterval(() => {
    const present = now();
    longest = Math.max(longest, present - last - INTERVAL);
    last = present;
  }, INTERVAL);
}

// Milliseconds of a clock that stands still while others have the core; see stalls.py.
function now() {
  return performance.now() - readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[1] / 1e6;
}

main();
process.stdin.resume().on("end", () => {
  if (words.includes("watch")) console.log(longest);
  process.exit();
});
