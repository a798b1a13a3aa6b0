"use strict";
// What every scenario shares: `node NAME.js URL TRANSPORT` looks at one side of the server and prints a line of JSON for each
// fact that it observed. It judges nothing: that is the business of the test that started it.

let { io } = require("socket.io-client");

const [url, transport] = process.argv.slice(2);
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const opened = [];

/** The certificate of a server under test is its own. */
const DEFAULTS = { reconnection: false, forceNew: true, rejectUnauthorized: false };

/** Another version of the client for all that is opened from now on. */
function use(client) {
  io = client;
}

/** What JSON cannot carry, in words: bytes become "hex:…". */
function plain(value) {
  if (value instanceof Uint8Array) return "hex:" + Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

function fact(name, value) {
  process.stdout.write(JSON.stringify({ fact: name, value: plain(value) }) + "\n");
}

/** A socket on a connection of its own, to `address`, which does not come back by itself unless `options` say so. */
function open(namespace = "/", { address = url, ...options } = {}) {
  const settings = { ...DEFAULTS, transports: TRANSPORTS[transport], ...options };
  const socket = io(address + namespace, settings);
  opened.push(socket);
  return socket;
}

/** A socket for one more namespace on the connection of another socket. */
function share(other, namespace, options = {}) {
  const socket = other.io.socket(namespace, options);
  opened.push(socket);
  return socket;
}

/** The next `event` of an emitter: the list of its arguments. */
function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** An open socket, through with its upgrade when there is one. */
async function connect(namespace = "/", options = {}) {
  const socket = open(namespace, options);
  const upgraded = transport === "upgrade" && next(socket.io, "open").then(() => next(socket.io.engine, "upgrade"));
  socket.on("connect_error", (error) => fact("unexpected", `connect_error: ${error.message}`));
  await next(socket, "connect");
  socket.off("connect_error");
  await upgraded;
  return socket;
}

/** `count` events of one name: the list of their first arguments. */
function collect(socket, event, count) {
  const collected = [];
  return new Promise((resolve) => {
    socket.on(event, (value) => collected.push(value) === count && resolve(collected));
  });
}

/** Everything that was sent before this call has arrived, and what it caused has come back. */
function settled(socket) {
  return socket.emitWithAck("echo");
}

async function run(scenario) {
  try {
    await scenario();
    fact("done", true);
  } catch (error) {
    fact("unexpected", String(error.stack));
  }
  for (const socket of opened) socket.disconnect();
}

module.exports = { collect, connect, fact, next, open, run, settled, share, transport, url, use };
