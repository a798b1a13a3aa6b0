// The application of the benchmarks on Node's socket.io.

const { createServer } = require("node:http");
const { Server } = require("socket.io");

const httpServer = createServer();
const io = new Server(httpServer);

io.on("connection", (socket) => {
  socket.on("echo", (...args) => socket.emit("echo", ...args));
  socket.on("ack", (data, callback) => callback(data));
  socket.on("bin", (data) => socket.emit("bin", data));
  socket.on("publish", (data) => io.emit("news", data));
});

httpServer.listen(0, "127.0.0.1", () => console.log(httpServer.address().port));
process.stdin.resume().on("end", () => process.exit());
