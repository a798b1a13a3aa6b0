"use strict";
// The client's side of own_parser.py: io(url, { parser: require("./own_parser") })
const { Emitter } = require("@socket.io/component-emitter");

class Encoder {
  encode({ type, nsp, id, data }) {
    return [JSON.stringify([type, nsp, id, data])];
  }
}

class Decoder extends Emitter {
  add(message) {
    const [type, nsp, id, data] = JSON.parse(message);
    this.emit("decoded", { type, nsp, id, data });
  }
  destroy() {}
}

module.exports = { Encoder, Decoder };
