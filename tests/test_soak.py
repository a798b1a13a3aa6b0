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
        socket.join("everybody")
        socket.join(f"only {socket.id}")

        @socket.on("echo")
        def echo(*args: str) -> tuple[str, ...]:
            io.to("everybody").volatile.emit("news")
            return args

        @socket.on("ask me")
        async def ask() -> None:
            try:
                await socket.timeout(30.0).call("never answered")
            except TxSocketIOError:
                io.to("everybody").emit("news")


async def converse(session: Polling | WebSocket) -> None:
    """Join, leave a question of the server open, and get an echo."""
    await session.join()
    await session.send('42["ask me"]', '420["echo","hi"]')
    while await session.read() != '430["hi"]':
        pass


# Lives. Those that end without a word are noticed by their TCP connection, or by a missed heartbeat.


async def poll_and_close(address: Address) -> None:
    session = await Polling.open(address)
    await converse(session)
    await session.leave()


async def poll_and_vanish(address: Address) -> None:
    session = await Polling.open(address)
    await converse(session)
    await session.start_poll()
    for wire in session.wires:
        wire.reset()


async def poll_once(address: Address) -> None:
    session = await Polling.open(address)
    await converse(session)
    for wire in session.wires:
        wire.close()


async def open_websocket_and_close(address: Address) -> None:
    session = await WebSocket.open(address)
    await converse(session)
    await session.send("41")
    session.wire.close()


async def open_websocket_and_vanish(address: Address) -> None:
    session = await WebSocket.open(address)
    await converse(session)
    session.wire.reset()


async def join_nothing(address: Address) -> None:
    session = await WebSocket.open(address)
    with pytest.raises(ConnectionEnded):
        await session.read()
    session.wire.close()


async def upgrade_and_close(address: Address) -> None:
    polling, websocket = await begin_to_upgrade(address)
    await polling.start_poll()
    await websocket.send("5")
    await polling.polls.read_response()
    await converse(websocket)
    for wire in (websocket.wire, *polling.wires):
        wire.close()


async def upgrade_and_vanish_halfway(address: Address) -> None:
    polling, websocket = await begin_to_upgrade(address)
    for wire in (websocket.wire, *polling.wires):
        wire.reset()


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


LIVES = [
    poll_and_close,
    poll_and_vanish,
    poll_once,
    open_websocket_and_close,
    open_websocket_and_vanish,
    join_nothing,
    upgrade_and_close,
    upgrade_and_vanish_halfway,
    ask_nonsense,
]


def traces() -> Counter[str]:
    """What clients leave in a process while they are there: timers, open files, objects of ours."""
    gc.collect()
    found = Counter({"open files": len(os.listdir("/dev/fd")), "timers": len(reactor.getDelayedCalls())})
    kinds = (Session, Connection, Socket, ServerWebSocket)
    found.update(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, kinds))
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("way", "count"), [("light", 2000), ("guest", 500)])
async def test_nothing_is_left_of_clients_that_came_and_went(way: str, count: int) -> None:
    """Whatever way a client goes, its session, timers and descriptors go with it."""
    io = Server(ping_interval=2.0, ping_timeout=1.0, connect_timeout=2.0, close_timeout=0.5)
    listen(io)
    site = io.site() if way == "light" else guest_site(io)
    port = reactor.listenTCP(0, site, interface="127.0.0.1", backlog=CROWD)
    address = ("127.0.0.1", port.getHost().port)
    await deferLater(reactor, 0)
    before = traces()

    turnstile = DeferredSemaphore(CROWD)
    lives = [
        turnstile.run(lambda life=life: Deferred.fromCoroutine(life(address))) for life in islice(cycle(LIVES), count)
    ]
    await gatherResults(lives, consumeErrors=True)

    await until(lambda: io.engine.clients_count == 0, "all sessions are gone")
    await until(lambda: traces() == before, f"everything is as before: {before}")
    await io.close()
    await port.stopListening()
