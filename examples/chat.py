"""A chat room, to be run by `twistd -n socketio --app chat:setup`.

"join" with a name enters the room; "chat:message" with a text is told to everybody else there, and acknowledged.
"""

from txsocketio import ConnectionRefused, Server


def setup(io: Server) -> None:
    @io.use
    def check(socket):
        if socket.handshake.auth.get("name") == "":
            raise ConnectionRefused("a name, please", data={"code": "nameless"})

    @io.on("connection")
    def connected(socket):
        name = socket.handshake.auth.get("name", "somebody")
        socket.join("room")
        socket.to("room").emit("chat:joined", name)

        @socket.on("chat:message")
        def message(text):
            socket.to("room").emit("chat:message", name, text)
            return "delivered"

        @socket.on("disconnect")
        def gone(reason):
            io.to("room").emit("chat:left", name)
