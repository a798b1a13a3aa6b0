"""The chat that `twistd socketio` serves until it is told which application to run.

the page (demo.html)                            this module
enter(nick, room) -> {room, people, messages}   the nick joins the room, leaving the one before
say(text)         -> message                    "message" to everybody else in the room
typing()                                        "typing" to everybody else, volatile
"""

from __future__ import annotations

import html
import re
from collections import deque
from importlib.resources import files

from twisted.web.resource import Resource
from twisted.web.server import Request

from txsocketio.socketio.server import Server
from txsocketio.socketio.socket import Socket
from txsocketio.types import Json

NAME_LENGTH = 24
TEXT_LENGTH = 1000
REMEMBERED = 50

#: The client for a server without `client_path`; the hash is that of socket.io-client 4.8.3 on npm.
CDN = (
    '<script src="https://cdn.socket.io/4.8.3/socket.io.min.js" '
    'integrity="sha384-kzavj5fiMwLKzzD1f8S7TeoVIEi7uKHvbTA3ueZkrzYq75pNQUiUi6Dy98Q3fxb0" '
    'crossorigin="anonymous"></script>'
)


class Room:
    """Who is in one room, and what was said there last; forgotten when the last one leaves."""

    def __init__(self) -> None:
        self.people: dict[str, str] = {}
        self.messages: deque[Json] = deque(maxlen=REMEMBERED)


class Chat:
    """The rooms of the demo, and what its clients can do.

    Args:
        io: the server to register with.
    """

    def __init__(self, io: Server) -> None:
        self._io = io
        self._rooms: dict[str, Room] = {}
        io.on("connection", self._connected)

    def _connected(self, socket: Socket) -> None:
        socket.on("enter", lambda nick="", room="", *_: self._enter(socket, nick, room))
        socket.on("say", lambda text="", *_: self._say(socket, text))
        socket.on("typing", lambda *_: self._typing(socket))
        socket.on("disconnect", lambda *_: self._leave(socket))

    def _enter(self, socket: Socket, nick: Json, name: Json) -> Json:
        self._leave(socket)
        nick, name = clean(nick, NAME_LENGTH) or "guest", clean(name, NAME_LENGTH) or "lobby"
        room = self._rooms.setdefault(name, Room())
        room.people[socket.id] = nick
        socket.data = {"nick": nick, "room": name}
        socket.join(name)
        self._tell_people(name)
        return {"nick": nick, "room": name, "people": room.people, "messages": list(room.messages)}

    def _leave(self, socket: Socket) -> None:
        name = socket.data.pop("room", None)
        if name is None:
            return
        socket.leave(name)
        del self._rooms[name].people[socket.id]
        if self._rooms[name].people:
            self._tell_people(name)
        else:
            del self._rooms[name]

    def _say(self, socket: Socket, text: Json) -> Json:
        text, name = clean(text, TEXT_LENGTH), socket.data.get("room")
        if not (text and name):
            return None
        message = {"id": socket.id, "nick": socket.data["nick"], "text": text}
        self._rooms[name].messages.append(message)
        socket.to(name).emit("message", message)
        return message

    def _typing(self, socket: Socket) -> None:
        if "room" in socket.data:
            socket.to(socket.data["room"]).volatile.emit("typing", socket.data["nick"])

    def _tell_people(self, name: str) -> None:
        self._io.to(name).emit("people", self._rooms[name].people)


def clean(text: Json, length: int) -> str:
    """A line of text in at most `length` characters; "" for what is no text."""
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()[:length] if isinstance(text, str) else ""


class Page(Resource):
    """One text, as HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.content = text.encode()

    # Called by Twisted.
    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        request.setHeader(b"Cache-Control", b"no-cache")
        return self.content


def page(path: str, has_client: bool) -> Resource:
    """The page of the chat, for the root of a site.

    Args:
        path: of the Socket.IO server.
        has_client: whether that server has the JavaScript client; otherwise the page takes it from the public CDN.
    """
    path = html.escape(path.rstrip("/"))
    client = f'<script src="{path}/socket.io.min.js"></script>' if has_client else CDN
    text = files("txsocketio.app").joinpath("demo.html").read_text("utf-8")
    text = text.replace("<!-- client -->", client).replace("%path%", path)
    root = Resource()
    root.putChild(b"", Page(text))
    return root
