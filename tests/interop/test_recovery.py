"""The real JavaScript client whose connections are cut, again and again, during a stream of numbered events."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from tests.conftest import require
from tests.interop.conftest import Begin, Serve
from tests.interop.proxy import Proxy
from tests.interop.servers import InProcess
from txsocketio import Server, Socket
from txsocketio.socketio.away import RecoverySession

pytestmark = pytest.mark.skipif("INTEROP_SERVER" in os.environ, reason="looks into the server")

CLIENTS = 10
CUTS = 200

#: Seconds between two events, and between two cuts of a client at most.
INTERVAL, PATIENCE = 0.004, 0.15

#: In the middle of an upgrade, or of an answer, it is by its heartbeat that a client finds out.
HEARTBEAT = {"ping_interval": 0.5, "ping_timeout": 1.0}

#: Bytes after which a client is cut at most: the answers of the handshake, or many events.
HANDSHAKE, STREAM = 500, 4000


class Stream:
    """A server that sends every client the same numbers, some to everybody and some to each by itself."""

    def __init__(self, max_disconnection_duration: float) -> None:
        recovery = {"max_disconnection_duration": max_disconnection_duration}
        self.io = Server(connection_state_recovery=recovery, **HEARTBEAT)
        self.io.on("connection", self._connected)
        self.sockets: dict[str, Socket] = {}
        self._number = 0
        self._loop = LoopingCall(self._send)

    def start(self) -> None:
        self._loop.start(INTERVAL)

    def end(self) -> None:
        self._loop.stop()
        self.io.emit("end")

    def _connected(self, socket: Socket) -> None:
        self.sockets[socket.handshake.auth["name"]] = socket

    def _send(self) -> None:
        self._number += 1
        if self._number % 3:
            self.io.emit("number", self._number)
        else:
            for socket in self.sockets.values():
                socket.emit("number", self._number)


@pytest.fixture
def chance() -> Iterator[random.Random]:
    """What decides when to cut. A failure tells the seed, which can be given as RECOVERY_SEED."""
    seed = os.environ.get("RECOVERY_SEED") or str(random.randrange(10**6))
    print(f"RECOVERY_SEED={seed}")
    yield random.Random(seed)


@pytest.fixture
def proxies() -> Iterator[list[Proxy]]:
    """Proxies that are started; they are stopped after the test."""
    proxies: list[Proxy] = []
    yield proxies
    for proxy in proxies:
        blockon(Deferred.fromCoroutine(proxy.stop()))


async def cut_often(proxy: Proxy, cuts: int, silently: bool, chance: random.Random) -> None:
    """Cut all connections of a client, at any moment: some time or so many bytes after the last cut."""
    for _ in range(cuts):
        how = chance.random()
        if how < 0.5:
            await deferLater(reactor, chance.uniform(0, PATIENCE))
            await proxy.in_use()
            proxy.cut(silently)
        else:
            await proxy.cut_behind(chance.randrange(1, HANDSHAKE if how < 0.75 else STREAM), silently)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("silently", [False, True], ids=["reset", "silent"])
async def test_cut_clients_miss_nothing_and_get_nothing_twice(
    serve: Serve, begin: Begin, proxies: list[Proxy], chance: random.Random, transport: str, silently: bool
) -> None:
    """Whether the server notices, or still believes in the old connection when the client comes back."""
    require("node")
    require("tests/interop/node_modules")
    stream = Stream(60.0)
    server = await serve(InProcess(lambda: stream.io))
    proxies += [Proxy(server.port) for _ in range(CLIENTS)]
    scenario = begin("javascript", "recovery", ",".join(proxy.start() for proxy in proxies), transport)
    stream.start()
    try:
        await scenario.told("started")
        cuts = [cut_often(proxy, CUTS // CLIENTS, silently, chance) for proxy in proxies]
        await gatherResults([Deferred.fromCoroutine(each) for each in cuts], consumeErrors=True)
    finally:
        stream.end()
    facts = await scenario.finish()
    print(facts)
    for client in facts["clients"]:
        assert client["wrong"] == []
        assert client["recovered"] == client["connections"] - 1 > 0


async def test_client_that_was_away_too_long_is_a_new_one(
    serve: Serve, begin: Begin, proxies: list[Proxy], transport: str
) -> None:
    """It is not recovered, has another id, and hears what is sent from then on."""
    require("node")
    require("tests/interop/node_modules")
    stream = Stream(0.1)
    expired: Deferred[RecoverySession] = Deferred()
    stream.io.on("session_expired", expired.callback)
    server = await serve(InProcess(lambda: stream.io))
    proxies.append(proxy := Proxy(server.port))
    scenario = begin("javascript", "recovery", proxy.start(), transport)
    stream.start()
    try:
        await scenario.told("started")
        before = stream.sockets["0"]
        proxy.is_closed = True
        proxy.cut(silently=False)
        assert (await expired).id == before.id
        back: Deferred[Socket] = Deferred()
        stream.io.on("connection", back.callback)
        proxy.is_closed = False
        after = await back
        assert (after.recovered, after.rooms, after.id == before.id) == (False, {after.id}, False)
    finally:
        stream.end()
    (client,) = (await scenario.finish())["clients"]
    assert (client["connections"], client["recovered"]) == (2, 0)
