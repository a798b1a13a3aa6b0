"use strict";
// Real clients at the command of a test; see process.py for what is read and written. They judge nothing: each keeps a
// log of what has happened to it, and the test judges.

const { createInterface } = require("readline");
const { io } = require("../interop/node_modules/socket.io-client");

const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

const clients = new Map();
const print = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

/** A client that comes back at once, whatever happens to it. */
class Client {
  constructor(url, transport, auth) {
    this.log = [];
    this.waiting = [];
    this.socket = io(url, {
      auth,
      forceNew: true,
      transports: TRANSPORTS[transport],
      reconnectionDelay: 5,
      reconnectionDelayMax: 40,
      // Cut between the answer to the WebSocket handshake and the Engine.IO handshake, the client notices nothing else.
      timeout: 1500,
    });
    this.socket.on("connect", () => this.note("connect", this.socket.id, this.socket.recovered));
    this.socket.on("disconnect", (reason) => this.note("disconnect", reason));
    this.socket.on("connect_error", (error) => this.note("connect_error", error.message));
    this.socket.on("number", (source, number, offset) => this.note("number", source, number, offset));
    this.socket.on("end", (tag) => this.note("end", tag));
    this.socket.on("ask", (answer) => answer(this.socket.id));
  }

  note(...entry) {
    this.log.push(entry);
    this.waiting = this.waiting.filter((look) => !look());
  }

  /** Waits until a fact is true of the log. */
  until(fact) {
    return new Promise((resolve) => {
      const look = () => fact() && (resolve(), true);
      if (!look()) this.waiting.push(look);
    });
  }
}

const connections = (log) => log.filter(([what]) => what === "connect").length;

const commands = {
  /** Connects a client. */
  open({ name, url, transport, auth }) {
    clients.set(name, new Client(url, transport, auth));
  },
  /** Waits until it has been connected so often; its id since then. */
  async connected({ name, times }) {
    const { log } = await this.client(name, (log) => connections(log) >= times);
    return log.findLast(([what]) => what === "connect")[1];
  },
  /** Waits until it has received the last event. */
  async ended({ name, tag }) {
    await this.client(name, (log) => log.some(([what, which]) => what === "end" && which === tag));
  },
  async client(name, fact) {
    const client = clients.get(name);
    await client.until(() => fact(client.log));
    return client;
  },
  log({ name }) {
    return clients.get(name).log;
  },
  /** Makes it show something else when it comes back. */
  pretend({ name, ...shown }) {
    const { socket } = clients.get(name);
    if ("pid" in shown) socket._pid = shown.pid;
    if ("offset" in shown) socket._lastOffset = shown.offset;
  },
  /** Ends the client. */
  close({ name }) {
    clients.get(name).socket.disconnect();
    clients.delete(name);
  },
};

async function obey({ id, do: command, ...args }) {
  try {
    print({ id, value: (await commands[command](args)) ?? null });
  } catch (error) {
    print({ id, error: String(error.stack) });
  }
}

createInterface({ input: process.stdin })
  .on("line", (line) => obey(JSON.parse(line)))
  .on("close", () => process.exit());
print({ id: 0, value: null });
