"""The server under test, and what must hold of it after any input.

    async with serving(way, ping_interval=0.2) as server:
        response = await server.ask(request("GET", "/socket.io/"))

`way` says how HTTP reaches it: "light" is a Site of ours, "guest" a resource in somebody's. On leaving the block
another client, there all along, still gets its echo, and no session is left. (That nothing was logged as an error, and
that no connection or timer is left, `tests/conftest.py` sees to.)

With TXSOCKETIO_TARGET=host:port the same tests talk to any server that runs the same small application
(`reference.js` is the Node one). What can only be seen from inside is then not checked, and tests with options of
their own are skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tests.sessions import Polling, WebSocket
from tests.wire import DEADLINE, Address, ConnectionEnded, Response, Wire
from txsocketio import Server
from txsocketio.types import Json

TARGET = os.environ.get("TXSOCKETIO_TARGET")
WAYS = ["target"] if TARGET else ["light", "guest"]

#: Events with a listener that tells the client so; whatever else a client emits must reach nobody.
SEEN_EVENTS = ["error", "_private", "constructor", "1"]


class Serving:
    """A running server, and the clients that a test has opened to it.

    Attributes:
        io: the server, None when it runs somewhere else.
        reasons: why sockets were disconnected, by id, as far as the bystander has read.
    """

    def __init__(self, address: Address, io: Json = None) -> None:
        self.address = address
        self.io = io
        self._bystanders: list[WebSocket] = []
        self._sessions: list[Polling | WebSocket] = []
        self._wires: list[Wire] = []
        self.reasons: dict[str, str] = {}

    @property
    def bystander(self) -> WebSocket:
        """A client that was there before."""
        return self._bystanders[0]

    async def call_bystander(self) -> None:
        self._bystanders.append(await WebSocket.open(self.address))
        await self.bystander.join()
        await self.bystander.send('42["watch"]')
        await self.check_bystander()

    async def wire(self) -> Wire:
        wire = await Wire.open(self.address)
        self._wires.append(wire)
        return wire

    async def ask(self, sent: bytes) -> Response:
        """The answer to one request on a connection of its own."""
        wire = await self.wire()
        wire.send(sent)
        return await wire.read_response(method=sent.split(b" ", 1)[0].decode())

    async def polling(self) -> Polling:
        session = await Polling.open(self.address)
        self._sessions.append(session)
        return session

    async def adopt(self, opened: Response) -> Polling:
        """The session that a request of the test's own has begun."""
        session = Polling(self.address, await Wire.open(self.address), await Wire.open(self.address), opened)
        self._sessions.append(session)
        return session

    async def websocket(self, *target: str) -> WebSocket:
        session = await WebSocket.open(self.address, *target)
        self._sessions.append(session)
        return session

    async def session(self, transport: str) -> Polling | WebSocket:
        return await (self.polling() if transport == "polling" else self.websocket())

    async def reason_of(self, socket_id: str) -> str:
        """Why the server says that this socket was disconnected."""
        while socket_id not in self.reasons:
            self._note_reason(await self.bystander.read())
        return self.reasons[socket_id]

    async def check_bystander(self) -> None:
        await self.bystander.send('420["echo","still here"]')
        while (received := await self.bystander.read()) != '430["still here"]':
            self._note_reason(received)

    def _note_reason(self, received: str | bytes) -> None:
        assert isinstance(received, str) and received.startswith('42["gone",'), received
        _, socket_id, reason = json.loads(received[2:])
        self.reasons[socket_id] = reason

    async def leave(self) -> None:
        """End what the test left open, as a client that goes away."""
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            await session.leave()
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.close()

    def cut_off(self) -> None:
        """Do the same at once, and for the bystander too, so that nothing of a test that failed is waited for."""
        sessions = [*self._sessions, *self._bystanders]
        for wire in [*self._wires, *(wire for session in sessions for wire in session.wires)]:
            wire.reset()


@asynccontextmanager
async def serving(way: str, **options: Json) -> AsyncIterator[Serving]:
    if TARGET:
        if options:
            pytest.skip("needs options of its own")
        async with elsewhere(TARGET) as server:
            yield server
        return
    io = Server(**options)
    listen(io)
    site = io.site() if way == "light" else guest_site(io)
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    server = Serving(("127.0.0.1", port.getHost().port), io)
    try:
        async with bystanding(server):
            yield server
            await server.check_bystander()
            await server.leave()
            await until(lambda: io.engine.clients_count == 1, "the bystander is the only session")
        await until(lambda: not (io.engine.sessions or io.engine.websockets or io.root.sockets), "nobody is left")
        assert len(io.engine.deadlines) == 0
    finally:
        server.cut_off()
        await io.close()
        await port.stopListening()


@asynccontextmanager
async def elsewhere(target: str) -> AsyncIterator[Serving]:
    host, _, port = target.partition(":")
    server = Serving((host, int(port)))
    async with bystanding(server):
        yield server
        await server.check_bystander()
        await server.leave()


@asynccontextmanager
async def bystanding(server: Serving) -> AsyncIterator[None]:
    await server.call_bystander()
    try:
        yield
    finally:
        await server.bystander.leave()


def listen(io: Json) -> None:
    """The application: it echoes, says which events reached it, and tells watchers who has gone and why."""

    @io.on("connection")
    def connected(socket: Json) -> None:
        @socket.on("echo")
        def echo(*arguments: Json) -> tuple[Json, ...]:
            return arguments

        @socket.on("watch")
        def watch() -> None:
            socket.join("watchers")

        @socket.on("disconnect")
        def gone(reason: str, *_: Json) -> None:
            io.to("watchers").emit("gone", socket.id, reason)

        for name in SEEN_EVENTS:
            socket.on(name, lambda *_, name=name: socket.emit("seen", name))


class Root(Resource):
    """Somebody's site, with nothing else in it. (The page of twisted.web's own for that warns of its age.)"""

    def getChild(self, path: bytes, request: Request) -> Resource:
        return notFound()


def guest_site(io: Json) -> Site:
    root = Root()
    root.putChild(b"socket.io", io.resource())
    return Site(root)


async def until(condition: Callable[[], bool], meaning: str) -> None:
    """Let the reactor turn until the condition holds (what it is about happens in no event that a test could await)."""
    give_up = reactor.seconds() + DEADLINE
    while not condition():
        assert reactor.seconds() < give_up, f"not within {DEADLINE} s: {meaning}"
        await deferLater(reactor, 0.001, lambda: None)


async def ending(session: Polling | WebSocket) -> ConnectionEnded:
    """How the session ends; a message that still comes before fails the test."""
    try:
        received = await session.read()
    except ConnectionEnded as ended:
        return ended
    raise AssertionError(f"still open, and sent {received!r}")


async def check_echo(session: Polling | WebSocket) -> None:
    """The session lives, and nothing else was on its way to it."""
    await session.send('420["echo","lives"]')
    assert await session.read() == '430["lives"]'
