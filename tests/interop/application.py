"""The application that the real clients talk to: one event for each behaviour that a scenario looks at.

/              everything below
/private       the same, behind a middleware that wants `auth.token == "secret"`
/news          the same, open
/room-<n>      the same, in namespaces that come to be when somebody asks for them
/guarded       three events behind a packet middleware, which keeps a log
/crowd         what is done to many sockets at once
/tenant/<x>    the same, if `auth.tenant` is x, which takes a while to find out
"""

from __future__ import annotations

import re
from collections import defaultdict

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from txsocketio import AckTimeout, ConnectionRefused, Server
from txsocketio.socketio.namespace import Namespace
from txsocketio.socketio.parent import ParentNamespace
from txsocketio.socketio.socket import Socket
from txsocketio.types import Json

#: How long the server waits for a client's acknowledgement, in seconds.
PATIENCE = 0.5


def create_server(**options: Json) -> Server:
    io = Server(**options)
    setup(io)
    return io


def setup(io: Server) -> None:
    farewells = Farewells()
    for name in ("/", "/private", "/news", "/room"):
        serve(io.of(name), farewells)
    io.of("/private").use(authenticate)
    rooms = io.of(re.compile(r"/room-\d+"))
    serve(rooms, farewells)
    serve(io.of(is_member), farewells)

    io.of("/guarded").register(Guarded)
    serve_crowd(io.of("/crowd"))

    @rooms.on("connection")
    def connected(socket: Socket) -> None:
        socket.on("announce_to_rooms", lambda text: rooms.emit("told", text))


def serve(namespace: Namespace | ParentNamespace, farewells: Farewells) -> None:
    @namespace.on("connection")
    def connected(socket: Socket) -> None:
        exchange_messages(socket)
        acknowledge(socket)
        enter_rooms(socket)
        address_others(socket)
        part(socket, farewells)


class Guarded:
    """Lets everything pass but "forbidden", and "slow" after a while."""

    def __init__(self, socket: Socket) -> None:
        self.heard: list[str] = []
        self.sent: list[str] = []
        self.dropped: list[str] = []
        socket.use(self.check)
        socket.on_any(lambda name, *args: self.heard.append(name))
        socket.on_any_outgoing(lambda name, *args: self.sent.append(name))
        socket.on("error", lambda error: self.dropped.append(str(error)))
        socket.emit("welcome")

    async def check(self, event: list[Json]) -> None:
        if event[0] == "forbidden":
            raise ConnectionRefused("not for you")
        if event[0] == "slow":
            await deferLater(reactor, 0.05)

    def on_slow(self, value: Json) -> Json:
        return value

    def on_quick(self, value: Json) -> Json:
        return value

    def on_log(self) -> list[list[str]]:
        return [self.heard, self.sent, self.dropped]


def serve_crowd(crowd: Namespace) -> None:
    events: list[tuple[str, ...]] = []
    for event in ("create_room", "join_room", "leave_room", "delete_room"):
        crowd.adapter.on(event, lambda *words, event=event: events.append((event, *words)))

    @crowd.on("connection")
    def connected(socket: Socket) -> None:
        socket.on("register", lambda name: socket.data.update(name=name))
        socket.on("move", lambda ids, room: crowd.to(ids).sockets_join(room))
        socket.on("send away", lambda ids, close: crowd.to(ids).disconnect_sockets(close))
        socket.on("rooms", lambda: events)

        @socket.on("who")
        async def who(room: str) -> list[Json]:
            return [{"id": each.id, "data": each.data} for each in await crowd.in_(room).fetch_sockets()]


def is_member(name: str, auth: Json) -> Deferred[bool]:
    return deferLater(reactor, 0.01, lambda: name == f"/tenant/{auth.get('tenant')}")


async def authenticate(socket: Socket) -> None:
    if socket.handshake.auth.get("token") != "secret":
        raise ConnectionRefused("not authorized", data={"code": 1})


class Farewells:
    """The reasons with which sockets have gone, and those who wait to hear them."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._waiting: defaultdict[str, list[Deferred[str]]] = defaultdict(list)

    def tell(self, socket_id: str, reason: str) -> None:
        self._reasons[socket_id] = reason
        for waiting in self._waiting.pop(socket_id, []):
            waiting.callback(reason)

    def hear(self, socket_id: str) -> Deferred[str]:
        heard: Deferred[str] = Deferred()
        if socket_id in self._reasons:
            heard.callback(self._reasons[socket_id])
        else:
            self._waiting[socket_id].append(heard)
        return heard


def exchange_messages(socket: Socket) -> None:
    @socket.on("echo")
    def echo(*args: Json) -> tuple[Json, ...]:
        return args

    @socket.on("repeat")
    def repeat(*args: Json) -> None:
        socket.emit("repeated", *args)

    @socket.on("flood")
    def flood(count: int) -> None:
        for number in range(count):
            socket.emit("item", number)

    @socket.on("mixed")
    def mixed(count: int) -> None:
        for number in range(count):
            socket.emit("item", number if number % 3 else bytes([number % 256]))

    @socket.on("chatter")
    def chatter(count: int) -> None:
        for number in range(count):
            socket.volatile.emit("tick", number)
        socket.emit("tock")

    @socket.on("who")
    def who() -> dict[str, Json]:
        handshake = socket.handshake
        return {
            "id": socket.id,
            "namespace": socket.namespace.name,
            "auth": handshake.auth,
            "fruit": handshake.query.get("fruit"),
            "agent": handshake.headers.get("X-Agent"),
            "secure": handshake.secure,
            "address": handshake.address,
        }


def acknowledge(socket: Socket) -> None:
    @socket.on("ask")
    async def ask(event: str, *args: Json) -> Json:
        try:
            answer = await socket.timeout(PATIENCE).call(event, *args)
        except AckTimeout as error:
            return {"error": str(error)}
        return list(answer) if isinstance(answer, tuple) else [answer]

    @socket.on("later")
    def later(milliseconds: int, value: Json) -> Deferred[Json]:
        return deferLater(reactor, milliseconds / 1000, lambda: value)

    @socket.on("silence")
    def silence() -> Deferred[None]:
        return Deferred()


def enter_rooms(socket: Socket) -> None:
    def rooms() -> list[str]:
        return sorted(set(socket.rooms) - {socket.id})

    @socket.on("join")
    def join(room: str) -> list[str]:
        socket.join(room)
        return rooms()

    @socket.on("leave")
    def leave(room: str) -> list[str]:
        socket.leave(room)
        return rooms()


def address_others(socket: Socket) -> None:
    namespace = socket.namespace

    @socket.on("announce")
    def announce(text: str) -> None:
        namespace.emit("told", text)

    @socket.on("broadcast")
    def broadcast(text: str) -> None:
        socket.broadcast.emit("told", text)

    @socket.on("tell")
    def tell(room: str, text: str) -> None:
        socket.to(room).emit("told", text)

    @socket.on("tell_all")
    def tell_all(room: str, text: str) -> None:
        namespace.in_(room).emit("told", text)

    @socket.on("tell_except")
    def tell_except(room: str, other: str, text: str) -> None:
        namespace.to(room).except_(other).emit("told", text)

    @socket.on("survey")
    async def survey(room: str) -> list[Json]:
        return sorted(await namespace.to(room).timeout(PATIENCE).call("question"))


def part(socket: Socket, farewells: Farewells) -> None:
    @socket.on("dismiss")
    def dismiss(close: bool) -> None:
        socket.disconnect(close)

    @socket.on("farewell")
    def farewell(socket_id: str) -> Deferred[str]:
        return farewells.hear(socket_id)

    @socket.on("disconnect")
    def gone(reason: str) -> None:
        farewells.tell(socket.id, reason)
