"""Servers as the public conformance suites of the protocols want them: short heartbeats, and applications that echo.

To prove the tests on another server, name where it listens, below /socket.io: TXSOCKETIO_TARGET=host:port for one with
the application of `serve_socketio`, TXSOCKETIO_ENGINE=host:port for an Engine.IO server that echoes.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.server import Site

from tests.bad_input.serving import Serving
from txsocketio import Server
from txsocketio.engineio import Engine, Session
from txsocketio.socketio.socket import Socket
from txsocketio.types import Json

OPTIONS = {"ping_interval": 0.3, "ping_timeout": 0.2, "path": "/socket.io"}


@pytest.fixture
def engine() -> Iterator[Serving]:
    """An Engine.IO server alone, which sends every message back."""
    if target := os.environ.get("TXSOCKETIO_ENGINE"):
        return (yield from elsewhere(target))
    engine = Engine(**OPTIONS)
    engine.on("connection", echo)
    yield from listening(engine.site(), engine.close)


@pytest.fixture
def socketio() -> Iterator[Serving]:
    """A Socket.IO server with the namespaces / and /custom."""
    if target := os.environ.get("TXSOCKETIO_TARGET"):
        return (yield from elsewhere(target))
    io = Server(connect_timeout=1.0, **OPTIONS)
    serve_socketio(io)
    yield from listening(io.site(), io.close)


@pytest.fixture(params=["engine", "socketio"])
def server(request: pytest.FixtureRequest) -> Serving:
    """Each of the two in turn: below Socket.IO, Engine.IO does what it does alone."""
    return request.getfixturevalue(request.param)


def echo(session: Session) -> None:
    session.on_message = lambda message: session.send(message)


def serve_socketio(io: Server) -> None:
    for namespace in (io.of("/"), io.of("/custom")):

        @namespace.on("connection")
        def connected(socket: Socket) -> None:
            socket.emit("auth", socket.handshake.auth)

            @socket.on("message")
            def message(*args: Json) -> None:
                socket.emit("message-back", *args)

            @socket.on("message-with-ack")
            def message_with_ack(*args: Json) -> tuple[Json, ...]:
                return args


def listening(site: Site, close: Callable[[], Awaitable[None]]) -> Iterator[Serving]:
    # Not an async fixture: once one of those has failed, pytest-twisted 1.14 fails every test after it.
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    server = Serving(("127.0.0.1", port.getHost().port))
    yield server
    blockon(Deferred.fromCoroutine(server.leave()))
    blockon(close())
    blockon(port.stopListening())


def elsewhere(target: str) -> Iterator[Serving]:
    host, _, port = target.partition(":")
    server = Serving((host, int(port)))
    yield server
    blockon(Deferred.fromCoroutine(server.leave()))
