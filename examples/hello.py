from txsocketio import Server

io = Server()


@io.on("connection")
def connected(socket):
    socket.join("lobby")

    @socket.on("chat:message")
    async def message(text):
        io.to("lobby").emit("chat:message", text)
        return "delivered"
