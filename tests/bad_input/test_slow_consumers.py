"""Row 95 for real: clients that never read while hundreds of megabytes are sent to everybody.

The memory of this process is what is measured; it holds the server, and clients that keep nothing of what they read.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from os import sysconf, urandom
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import (
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import deferLater

from tests.bad_input.serving import TARGET, guest_site, until
from tests.certificate import self_signed
from tests.sessions import POLLING, UPGRADE_HEADERS, WEBSOCKET, WebSocket
from tests.wire import Wire, request
from txsocketio import Server
from txsocketio.types import Json

pytestmark = [
    pytest.mark.skipif(TARGET is not None, reason="looks inside"),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures as Linux does"),
]

MEGABYTE = 1_000_000
LAZY = 4
MESSAGES = 250
LIMIT = 8 * MEGABYTE

#: What the messages that wait may take, each with its frame, what each transport holds, and some room for the rest.
ROOM = 2 * LIMIT + LAZY * 3 * MEGABYTE + 20 * MEGABYTE


class Rig:
    """A server, and connections to it.

    Attributes:
        reasons: why clients were disconnected.
        busy: what clients go on doing until the end of the test.
    """

    def __init__(self, secure: bool, **options: Json) -> None:
        self.io = Server(**options)
        self.reasons: list[str] = []
        self.wires: list[Wire] = []
        self.busy: list[Deferred[None]] = []
        self.secure = secure
        self.port: int

        @self.io.on("connection")
        def connected(socket: Json) -> None:
            socket.on("disconnect", lambda reason: self.reasons.append(str(reason)))

    async def wire(self) -> Wire:
        endpoint: Json = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        if self.secure:
            endpoint = wrapClientTLS(CertificateOptions(), endpoint)
        wire: Wire = await connectProtocol(endpoint, Wire())
        self.wires.append(wire)
        return wire

    async def websocket(self, **headers: str) -> WebSocket:
        wire = await self.wire()
        wire.send(request("GET", WEBSOCKET, headers=UPGRADE_HEADERS | headers))
        await wire.read_through(b"\r\n\r\n")
        return WebSocket(wire)

    async def polling(self) -> str:
        """Where a session that has joined is polled."""
        wire = await self.wire()
        wire.send(request("GET", POLLING))
        target = POLLING + "&sid=" + json.loads((await wire.read_response()).body[1:])["sid"]
        wire.send(request("POST", target, b"40"))
        await wire.read_response()
        return target


@asynccontextmanager
async def serving(secure: bool, way: str = "light", **options: Json) -> AsyncIterator[Rig]:
    rig = Rig(secure, max_outgoing_buffer=LIMIT, **options)
    site = rig.io.site() if way == "light" else guest_site(rig.io)
    endpoint: Json = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    if secure:
        endpoint = SSL4ServerEndpoint(reactor, 0, self_signed(), interface="127.0.0.1")
    port = await endpoint.listen(site)
    rig.port = port.getHost().port
    try:
        yield rig
    finally:
        for each in rig.busy:
            each.cancel()
            each.addErrback(lambda failure: failure.trap(CancelledError))
        for wire in rig.wires:
            wire.reset()
        await rig.io.close()
        await port.stopListening()


async def over_websocket(rig: Rig) -> None:
    """Opens a WebSocket, joins, and reads no more."""
    websocket = await rig.websocket()
    websocket.wire.transport.pauseProducing()
    await websocket.send("40")


async def over_compressed_websocket(rig: Rig) -> None:
    websocket = await rig.websocket(**{"Sec-WebSocket-Extensions": "permessage-deflate"})
    websocket.wire.transport.pauseProducing()
    await websocket.send("40")


async def over_polling(rig: Rig) -> None:
    """Polls, and does not read the answer."""
    target = await rig.polling()
    wire = await rig.wire()
    wire.transport.pauseProducing()
    wire.send(request("GET", target))


async def over_many_polls(rig: Rig, target: str) -> None:
    """Polls on one new connection after the other, and reads nothing."""
    for _ in range(30):
        wire = await rig.wire()
        wire.transport.pauseProducing()
        wire.send(request("GET", target))
        await deferLater(reactor, 0.02)


CLIENTS: list[Callable[[Rig], Awaitable[None]]] = [over_websocket, over_compressed_websocket, over_polling]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_lazy_clients_cost_no_more_than_the_limit(client: Callable[[Rig], Awaitable[None]], secure: bool) -> None:
    """They are dropped as slow consumers; who reads gets everything, in order."""
    async with serving(secure, per_message_deflate=client is over_compressed_websocket) as rig:
        for _ in range(LAZY):
            await client(rig)
        await flood(rig, await joined(rig))
        assert rig.reasons == ["slow consumer"] * LAZY


@pytest.mark.timeout(60)
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_lazy_clients_that_poll_again_and_again(way: str, secure: bool) -> None:
    """A poll before the last answer has left ends the session: else each connection would keep an answer more."""
    async with serving(secure, way) as rig:
        targets = [await rig.polling() for _ in range(LAZY)]
        reader = await joined(rig)
        rig.busy += [Deferred.fromCoroutine(over_many_polls(rig, target)) for target in targets]
        await flood(rig, reader)
        assert len(rig.reasons) == LAZY
        assert set(rig.reasons) <= {"slow consumer", "transport error"}


async def joined(rig: Rig) -> WebSocket:
    """A client that reads, when all the others have joined too."""
    reader = await rig.websocket()
    await reader.read_open()
    await reader.join()
    await until(lambda: len(rig.io.root.sockets) == LAZY + 1, "all have joined")
    return reader


async def flood(rig: Rig, reader: WebSocket) -> None:
    """Send to everybody; who reads sets the pace."""
    filler = urandom(MEGABYTE * 3 // 8).hex()
    before, most = memory(), 0
    for number in range(MESSAGES):
        rig.io.emit("flood", number, filler)
        rig.io.emit("flood", number, filler)
        for _ in range(2):
            received = await reader.read()
            assert str(received)[:20].startswith(f'42["flood",{number},')
        most = max(most, memory())
    print(f"{2 * MESSAGES * len(filler) / 1e6:.0f} MB sent, at most {(most - before) / 1e6:.1f} MB kept")
    assert most - before < ROOM


def memory() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * sysconf("SC_PAGE_SIZE")
