"""A chat with rooms and private messages, to be run by `twistd -n socketio --app chat:setup`.

A client shows its name: io({ auth: { name: "Ada" } }). It sends, and each is acknowledged with what came of it,

    "enter", room            "said" comes for what others say there, "entered" and "left" for who comes and goes
    "say", room, text
    "tell", name, text       "told" comes to all tabs of that person, and to nobody else
    "leave", room
"""

from txsocketio import ConnectionRefused, Server


def setup(io: Server) -> None:
    @io.use
    def check(socket):
        name = socket.handshake.auth.get("name")
        if not name or not isinstance(name, str):
            raise ConnectionRefused("a name, please", data={"code": "nameless"})
        socket.data["name"] = name

    @io.on("connection")
    def connected(socket):
        name = socket.data["name"]
        socket.join(f"name:{name}")

        @socket.on("enter")
        def enter(room):
            socket.join(f"room:{room}")
            socket.to(f"room:{room}").emit("entered", room, name)
            return "welcome"

        @socket.on("leave")
        def leave(room):
            socket.leave(f"room:{room}")
            io.to(f"room:{room}").emit("left", room, name)

        @socket.on("say")
        def say(room, text):
            if f"room:{room}" not in socket.rooms:
                return "enter it first"
            socket.to(f"room:{room}").emit("said", room, name, text)
            return "delivered"

        @socket.on("tell")
        async def tell(other, text):
            if not await io.in_(f"name:{other}").fetch_sockets():
                return "not here"
            await io.to(f"name:{other}").emit("told", name, text)
            return "delivered"

        @socket.on("disconnecting")
        def going(reason):
            for room in socket.rooms:
                if room.startswith("room:"):
                    socket.to(room).emit("left", room.removeprefix("room:"), name)
