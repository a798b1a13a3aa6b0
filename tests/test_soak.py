"""Two thousand clients come and go, each way there is, and nothing of them is left."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import cycle, islice
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.task import deferLater
from twisted.web.server import Site

from tests.bad_input.serving import guest_site, until
from tests.sessions import Polling, WebSocket
from tests.wire import Address, ConnectionEnded, Wire, request
from txsocketio import Server, TxSocketIOError
from txsocketio.engineio import Session
from txsocketio.engineio.websocket import WebSocket as ServerWebSocket
from txsocketio.socketio.connection import Connection
from txsocketio.socketio.socket import Socket

Life = Callable[[Address], Coroutine[Any, Any, None]]

#: So many are there at the same time.
CROWD = 40


def listen(io: Server) -> None:
    @io.on("connection")
    def connected(socket: Socket) -> None:
        socket.join(f"only {socket.id}")

        @socket.on("listen")
        def take_news() -> None:
            socket.join("listeners")

        @socket.on("echo")
        def echo(*args: str) -> tuple[str, ...]:
            io.to("listeners").volatile.emit("news")
            return args

        @socket.on("ask me")
        async def ask() -> None:
            try:
                await socket.timeout(30.0).call("never answered")
            except TxSocketIOError:
                io.to("listeners").emit("news")


async def converse(session: Polling | WebSocket, *before: str) -> None:
    """Join, leave a question of the server open, and get an echo."""
    await session.join()
    await session.send(*before, '42["ask me"]', '420["echo","hi"]')
    while await session.read() != '430["hi"]':
        pass


# Lives whose end the server sees at once.


async def poll_and_close(address: Address) -> None:
    session = await Polling.open(address)
    await converse(session, '42["listen"]')
    await session.leave()


async def poll_and_vanish(address: Address) -> None:
    """Nobody writes to this one, so that its poll is held when it goes."""
    session = await Polling.open(address)
    await converse(session)
    await session.start_poll()
    await session.post(b"3")  # when this exchange is over the poll has arrived
    for wire in session.wires:
        wire.reset()


async def open_websocket_and_close(address: Address) -> None:
    session = await WebSocket.open(address)
    await converse(session, '42["listen"]')
    await session.send("41")
    session.wire.close()


async def open_websocket_and_vanish(address: Address) -> None:
    session = await WebSocket.open(address)
    await converse(session, '42["listen"]')
    session.wire.reset()


async def upgrade_and_close(address: Address) -> None:
    polling, websocket = await begin_to_upgrade(address)
    await polling.start_poll()
    await websocket.send("5")
    await polling.polls.read_response()
    await converse(websocket)
    for wire in (websocket.wire, *polling.wires):
        wire.close()


async def begin_to_upgrade(address: Address) -> tuple[Polling, WebSocket]:
    polling = await Polling.open(address)
    websocket = await WebSocket.open(address, polling.websocket_target)
    await websocket.send("2probe")
    assert await websocket.read() == "3probe"
    return polling, websocket


async def ask_nonsense(address: Address) -> None:
    wire = await Wire.open(address)
    wire.send(request("GET", "/socket.io/?EIO=4&transport=polling&sid=gone"))
    assert (await wire.read_response()).status == 400
    wire.close()


SEEN_LIVES = [
    poll_and_close,
    poll_and_vanish,
    open_websocket_and_close,
    open_websocket_and_vanish,
    upgrade_and_close,
    ask_nonsense,
]


# Lives that only a timeout ends.


async def poll_once(address: Address) -> None:
    session = await Polling.open(address)
    await converse(session, '42["listen"]')
    for wire in session.wires:
        wire.close()


async def join_nothing(address: Address) -> None:
    session = await WebSocket.open(address)
    with pytest.raises(ConnectionEnded):
        await session.read()
    session.wire.close()


async def upgrade_and_vanish_halfway(address: Address) -> None:
    polling, websocket = await begin_to_upgrade(address)
    for wire in (websocket.wire, *polling.wires):
        wire.reset()


SILENT_LIVES = [poll_once, join_nothing, upgrade_and_vanish_halfway]


def traces() -> Counter[str]:
    """What clients leave in a process while they are there: timers, open files, objects of ours."""
    gc.collect()
    found = Counter({"open files": len(os.listdir("/dev/fd")), "timers": len(reactor.getDelayedCalls())})
    kinds = (Session, Connection, Socket, ServerWebSocket)
    found.update(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, kinds))
    return found


async def lead(lives: list[Life], count: int, site: Site, io: Server) -> None:
    """Let that many clients come and go; whatever is left of them fails."""
    listen(io)
    port = reactor.listenTCP(0, site, interface="127.0.0.1", backlog=CROWD)
    address = ("127.0.0.1", port.getHost().port)
    await deferLater(reactor, 0)
    before = traces()

    turnstile = DeferredSemaphore(CROWD)
    led = [
        turnstile.run(lambda life=life: Deferred.fromCoroutine(life(address))) for life in islice(cycle(lives), count)
    ]
    await gatherResults(led, consumeErrors=True)
    await until(lambda: io.engine.clients_count == 0, "all sessions are gone")
    await until(lambda: traces() == before, f"everything is as before: {before}")
    await io.close()
    await port.stopListening()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", ["light", "guest"])
async def test_nothing_is_left_of_two_thousand_clients(way: str) -> None:
    """Whatever way a client goes, its session, timers and descriptors go with it, long before any timeout."""
    io = Server()
    await lead(SEEN_LIVES, 2000, io.site() if way == "light" else guest_site(io), io)


@pytest.mark.timeout(60)
async def test_nothing_is_left_of_clients_that_fell_silent() -> None:
    """A client that just is no more is forgotten after the timeouts."""
    io = Server(ping_interval=1.0, ping_timeout=1.0, connect_timeout=2.0, close_timeout=0.5)
    await lead(SILENT_LIVES, 150, io.site(), io)
