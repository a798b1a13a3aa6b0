"""Who is there: cd examples; twistd -n socketio --app presence:io

A client shows its name: io({ auth: { name: "Ada" } }). It sends "enter" with a room and gets the list of who is in it;
"came" and "gone" tell it of the others. A person with several tabs is one.
"""

from txsocketio import ConnectionRefused, Server

io = Server()


@io.use
def check(socket):
    if not isinstance(socket.handshake.auth.get("name"), str):
        raise ConnectionRefused("a name, please")


async def present(room):
    """The people in the room, by name."""
    sockets = await io.in_(room).fetch_sockets()  # of all servers, once there are several
    return {socket.data["name"]: socket.data["status"] for socket in sockets}


@io.on("connection")
def connected(socket):
    socket.data = {"name": socket.handshake.auth["name"], "status": "here", "room": None}

    @socket.on("enter")
    async def enter(name):
        room = f"room:{name}"  # not any room: that of somebody's id gets what is sent to him only
        before = await present(room)
        socket.data["room"] = room
        socket.join(room)
        if socket.data["name"] not in before:
            socket.to(room).emit("came", socket.data["name"])
        return await present(room)

    @socket.on("status")
    def status(text):
        socket.data["status"] = text
        if socket.data["room"] is not None:
            socket.to(socket.data["room"]).emit("status", socket.data["name"], text)

    @socket.on("disconnect")
    async def gone(reason):
        room = socket.data["room"]
        if room is not None and socket.data["name"] not in await present(room):
            io.to(room).emit("gone", socket.data["name"])
