"use strict";
// A Socket.IO server of Node.js in a cluster, at the command of a test: `node node_server.js SETTINGS` (JSON; see node.py).
//
// It prints one line of JSON a fact: {ready} once it takes part in the cluster, {heard} for what another server told it,
// {id, value} or {id, error} for each line {id, code} on stdin, whose code runs with the names of `scope` below.
// JSON cannot carry bytes: they are {"hex": "…"}, in what is printed.

const { createServer } = require("http");
const { createInterface } = require("readline");
const { createClient } = require("redis");
const { Server } = require("socket.io");
const classic = require("@socket.io/redis-adapter");
const streams = require("@socket.io/redis-streams-adapter");
const { Emitter } = require("@socket.io/redis-emitter");
const { StreamsEmitter } = require("./streams_emitter");

const { kind, redis: url, name, namespaces, adapter: options, server } = JSON.parse(process.argv[2]);

const print = (fact) => process.stdout.write(JSON.stringify(fact) + "\n");

/** The value in JSON's terms. */
function plain(value) {
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString("hex") };
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value === undefined ? null : value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** What can be told of a socket, here or on another server. */
const described = ({ id, rooms, data, handshake }) => ({ id, rooms: [...rooms].sort(), data, handshake });

/** What an operator's answers or its error are, for tests of both. */
const outcome = (asking) =>
  asking.then(
    (answers) => ({ answers, error: null }),
    (error) => ({ answers: error.responses, error: error.message }),
  );

/** A connection whose name tells the server's own from those of the other servers. */
async function connect() {
  const client = createClient({ url, name });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** The adapter, and how many subscriptions it has in each namespace when it takes part in the cluster. */
async function createAdapter(redis) {
  switch (kind) {
    case "classic":
      return [classic.createAdapter(redis, await connect(), options), { sub: 3, psub: 1 }];
    case "sharded":
      return [classic.createShardedAdapter(redis, await connect(), options), { ssub: 2 }];
    case "streams":
      const listening = options.useShardedPubSub ? { ssub: 2 } : { sub: 2 };
      return [streams.createAdapter(redis, options), { ...listening, xread: 1 / namespaces.length }];
  }
  throw new Error(`no adapter ${kind}`);
}

/** The adapters do not tell when they have subscribed; Redis does. */
async function takesPart(redis, subscriptions) {
  for (;;) {
    const clients = (await redis.sendCommand(["CLIENT", "LIST"])).split("\n");
    const ours = clients.filter((client) => client.includes(` name=${name} `));
    const found = { sub: 0, psub: 0, ssub: 0, xread: ours.filter((client) => client.includes(" cmd=xread ")).length };
    for (const [, each, count] of ours.join("\n").matchAll(/ (sub|psub|ssub)=(\d+)/g)) found[each] += Number(count);
    if (Object.entries(subscriptions).every(([each, count]) => found[each] === count * namespaces.length)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A client joins the rooms that its query names. */
function welcome(socket) {
  const { rooms, name } = socket.handshake.query;
  if (!socket.recovered) {
    if (rooms) socket.join(rooms.split(","));
    socket.data.name = name;
  }
  socket.on("join", (room, answer) => answer(socket.join(room)));
  socket.on("echo", (...args) => args.pop()(...args));
}

/** What other servers say. */
function listen(namespace) {
  namespace.on("connection", welcome);
  namespace.on("told", (...args) => print({ heard: plain(args) }));
  namespace.on("asked", (...args) => args.pop()(...args));
  namespace.on("unanswered", () => {});
}

async function start() {
  const redis = await connect();
  const [adapter, subscriptions] = await createAdapter(redis);
  const http = createServer();
  const io = new Server(http, { ...server, adapter });
  namespaces.map((each) => io.of(each)).forEach(listen);
  const emitter = kind === "streams" ? new StreamsEmitter(redis, options) : new Emitter(redis, options);
  const scope = { io, redis, emitter, described, outcome, require };
  const uids = Object.fromEntries(namespaces.map((each) => [each, io.of(each).adapter.uid]));
  await takesPart(redis, subscriptions);
  http.listen(0, "127.0.0.1", () => print({ ready: { port: http.address().port, uids } }));
  createInterface({ input: process.stdin })
    .on("line", (line) => obey(JSON.parse(line), scope))
    .on("close", () => process.exit());
}

async function obey({ id, code }, scope) {
  try {
    const run = new Function(...Object.keys(scope), `return (async () => { ${code} })()`);
    print({ id, value: plain(await run(...Object.values(scope))) ?? null });
  } catch (error) {
    print({ id, error: String(error.stack) });
  }
}

start();
