"use strict";
// What `@socket.io/redis-streams-emitter` 0.1 adds to the stream. The package is not in every registry of npm's; the
// entries are compared with vectors that were recorded from it.

const { encode } = require("@msgpack/msgpack");

const [BROADCAST, JOIN, LEAVE, DISCONNECT, SERVER_SIDE_EMIT] = [3, 4, 5, 6, 9];

const many = (rooms) => (Array.isArray(rooms) ? rooms : [rooms]);

function hasBinary(value) {
  if (value === null || typeof value !== "object") return false;
  return value instanceof Uint8Array || Object.values(value).some(hasBinary);
}

class StreamsEmitter {
  constructor(redis, { streamName = "socket.io" } = {}, nsp = "/", targets = { rooms: [], except: [], flags: {} }) {
    Object.assign(this, { redis, streamName, nsp, targets });
  }

  of = (nsp) => new StreamsEmitter(this.redis, this, nsp);
  to = (rooms) => this.aimed({ rooms: [...this.targets.rooms, ...many(rooms)] });
  in = (rooms) => this.to(rooms);
  except = (rooms) => this.aimed({ except: [...this.targets.except, ...many(rooms)] });

  get volatile() {
    return this.aimed({ flags: { ...this.targets.flags, volatile: true } });
  }

  aimed = (change) => new StreamsEmitter(this.redis, this, this.nsp, { ...this.targets, ...change });

  emit(...data) {
    const { rooms, flags, except } = this.targets;
    return this.add(BROADCAST, { packet: { type: 2, data, nsp: this.nsp }, opts: { rooms, flags, except } });
  }

  socketsJoin = (rooms) => this.add(JOIN, { opts: this.unflagged, rooms: many(rooms) });
  socketsLeave = (rooms) => this.add(LEAVE, { opts: this.unflagged, rooms: many(rooms) });
  disconnectSockets = (close = false) => this.add(DISCONNECT, { opts: this.unflagged, close });
  serverSideEmit = (...packet) => this.add(SERVER_SIDE_EMIT, { packet });

  get unflagged() {
    return { ...this.targets, flags: {} };
  }

  add(type, data) {
    const text = hasBinary(data) ? Buffer.from(encode(data)).toString("base64") : JSON.stringify(data);
    const entry = { uid: "emitter", nsp: this.nsp, type: String(type), data: text };
    return this.redis.xAdd(this.streamName, "*", entry, {
      TRIM: { strategy: "MAXLEN", strategyModifier: "~", threshold: 10000 },
    });
  }
}

module.exports = { StreamsEmitter };
