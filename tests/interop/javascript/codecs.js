"use strict";
// Encodes and decodes with npm packages: `node codecs.js TASK < ITEMS` reads a list in JSON and prints one, item by item.
// What JSON cannot carry stands there as an object with one key: $undefined, $date, $buffer and $arraybuffer (in hexadecimal digits).

const v3 = require("engine.io-parser-v3");
const { Decoder, Encoder } = require("socket.io-msgpack-parser");

/** The value of JavaScript that JSON stands for. */
function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== "object") return value;
  if ("$undefined" in value) return undefined;
  if ("$date" in value) return new Date(value.$date);
  if ("$buffer" in value) return Buffer.from(value.$buffer, "hex");
  if ("$arraybuffer" in value) return new Uint8Array(Buffer.from(value.$arraybuffer, "hex")).buffer;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]));
}

/** The JSON that stands for a value of JavaScript. */
function describe(value) {
  if (value === undefined) return { $undefined: true };
  if (value instanceof Date) return { $date: value.getTime() };
  if (Buffer.isBuffer(value)) return { $buffer: value.toString("hex") };
  if (value instanceof ArrayBuffer) return { $arraybuffer: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return value.map(describe);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, describe(item)]));
}

const hex = (body) => Buffer.from(body).toString("hex");

function decodeMsgpack(message) {
  const decoder = new Decoder();
  let packet;
  decoder.on("decoded", (decoded) => (packet = describe(decoded)));
  decoder.add(Buffer.from(message, "hex"));
  return packet;
}

function encodePayload(packets, supportsBinary) {
  let body;
  v3.encodePayload(revive(packets), supportsBinary, (encoded) => (body = hex(encoded)));
  return body;
}

function decodePayload(body) {
  const packets = [];
  v3.decodePayload(body, (packet) => void packets.push(describe(packet)));
  return packets;
}

const TASKS = {
  "msgpack encode": (packet) => hex(new Encoder().encode(revive(packet))[0]),
  "msgpack decode": decodeMsgpack,
  "payload encode": (packets) => encodePayload(packets, false),
  "payload decode": (body) => decodePayload(Buffer.from(body, "hex").toString()),
  "binary payload encode": (packets) => encodePayload(packets, true),
  "binary payload decode": (body) => decodePayload(Buffer.from(body, "hex")),
};

const items = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(items.map(TASKS[process.argv[2]])));
