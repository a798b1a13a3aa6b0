// The application of serving.py on the Node server:
//     NODE_PATH=.../node_modules node tests/bad_input/reference.js 3001 &
//     TXSOCKETIO_TARGET=127.0.0.1:3001 pytest tests/bad_input
const { Server } = require("socket.io");

const io = new Server(Number(process.argv[2]));

io.on("connection", (socket) => {
  socket.on("echo", (...args) => typeof args.at(-1) === "function" && args.pop()(...args));
  socket.on("watch", () => socket.join("watchers"));
  socket.on("disconnect", (reason) => io.to("watchers").emit("gone", socket.id, reason));
  for (const name of ["error", "_private", "constructor", "1"]) {
    // "error" is also how this server reports a packet that it could not decode.
    socket.on(name, (error) => error instanceof Error || socket.emit("seen", name));
  }
});
