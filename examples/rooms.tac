"""An application file: twistd -ny examples/rooms.tac.

Clients enter and leave rooms of any name, and talk to one of them.
"""

import os

from twisted.application.service import Application

from txsocketio import Server

io = Server()


@io.on("connection")
def connected(socket):
    @socket.on("enter")
    def enter(room):
        socket.join(room)
        return sorted(socket.rooms - {socket.id})

    @socket.on("leave")
    def leave(room):
        socket.leave(room)
        return sorted(socket.rooms - {socket.id})

    @socket.on("say")
    def say(room, text):
        socket.to(room).emit("say", room, text)


application = Application("rooms")
io.service(os.environ.get("LISTEN", "tcp:8080")).setServiceParent(application)
