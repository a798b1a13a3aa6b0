"""The application of the benchmarks on txsocketio."""

from txsocketio import Server

io = Server()


@io.on("connection")
def connected(socket):
    @socket.on("echo")
    def echo(*args):
        socket.emit("echo", *args)

    @socket.on("ack")
    def ack(data):
        return data

    @socket.on("bin")
    def binary(data):
        socket.emit("bin", data)

    @socket.on("publish")
    def publish(data):
        io.emit("news", data)
