"""What two servers of Node.js say to one another is what the golden vectors have."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterator

import pytest

from tests.brokers.fixtures import running
from tests.brokers.redis import RedisServer
from tests.mixed.clients import LOOPBACK, Client
from tests.mixed.conftest import Connect, StartNode
from tests.mixed.monitor import Monitor
from tests.mixed.node import NodeServer
from tests.mixed.vectors import CLIENT, FIRST, PID, SECOND, Names, Vector, load, save

#: The operations of every adapter, as the first of two servers does them; the client is on the second.
BROADCASTS = {
    "to everybody": 'io.emit("event", 1, "é", true, null, undefined, { deep: [1.5, undefined] })',
    "to a room": 'io.to("room").emit("event")',
    "to a socket": 'io.to(client).emit("event")',
    "to rooms, except": 'io.to(["room", "other"]).except(["third", "fourth"]).emit("event")',
    "volatile, not compressed": 'io.volatile.compress(false).emit("event")',
    "in another namespace": 'io.of("/chat").to("room").emit("event")',
    "bytes": 'io.to("room").emit("event", Buffer.from([1, 255]), { deep: [new Uint8Array([5]).buffer] })',
    "long bytes": 'io.emit("event", Buffer.alloc(255, 1), Buffer.alloc(256, 2))',
    "a date": 'io.emit("event", new Date(1700000000123), { deep: new Date(0) })',
    "dates and bytes": 'io.emit("event", new Date(1700000000123), new Date(1700000000000), new Date(-1), Buffer.of(1))',
    "undefined and bytes": 'io.emit("event", undefined, { deep: undefined }, Buffer.of(1))',
    "integers and bytes": 'io.emit("event", 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, '
    "Buffer.of(1))",
    "negative integers and bytes": 'io.emit("event", -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), '
    "-(2 ** 31) - 1, 1 - 2 ** 53, Buffer.of(1))",
    "fractions and bytes": 'io.emit("event", 0.1, -1.5, 1e-300, Buffer.of(1))',
    "long texts and bytes": 'io.emit("event", "x".repeat(31), "x".repeat(32), "é".repeat(128), Buffer.of(1))',
    "long lists, maps and bytes": 'io.emit("event", Array(15).fill(0), Array(16).fill(0), '
    "Object.fromEntries([...Array(16).keys()].map((key) => [`k${key}`, 0])), Buffer.of(1))",
}

OPERATIONS = BROADCASTS | {
    "join": 'io.in("nobody").except("other").socketsJoin(["one", "two"])',
    "leave": 'io.in("nobody").except("other").socketsLeave(["one", "two"])',
    "disconnect": 'io.in("nobody").disconnectSockets()',
    "disconnect and close": 'io.in("nobody").disconnectSockets(true)',
    "fetch": 'await io.in("room").except("other").fetchSockets()',
    "server-side emit": 'io.serverSideEmit("told", 1, "é", null)',
    "server-side emit of bytes": 'io.serverSideEmit("told", Buffer.of(1, 255))',
    "server-side call": 'await io.serverSideEmitWithAck("asked", "é")',
    "server-side call answered with nothing": 'await io.serverSideEmitWithAck("asked")',
    "server-side call with bytes": 'await io.serverSideEmitWithAck("asked", Buffer.of(1, 255))',
    "call of nobody": 'await io.to("nobody").timeout(5000).emitWithAck("ask", 1)',
}

#: What the client is asked, and answers.
CALLS: dict[str, tuple[str, object]] = {
    "call": ('await io.to("room").timeout(5000).emitWithAck("ask", 1)', "é"),
    "call answered with nothing": ('await io.timeout(5000).emitWithAck("ask")', None),
    "call with bytes": ('await io.timeout(5000).emitWithAck("ask", Buffer.of(1, 255))', b"\x02\xfe"),
    "fetch, and call of what was found": (
        'await (await io.in("room").fetchSockets())[0].timeout(5000).emitWithAck("ask")',
        {"some": ["thing"]},
    ),
}

EMITTER = {
    "emitter: to everybody": 'emitter.emit("event", 1, "é", null, undefined)',
    "emitter: to a room": 'emitter.to("room").emit("event")',
    "emitter: to rooms, except": 'emitter.to(["room", "other"]).except("third").volatile.emit("event")',
    "emitter: bytes": 'emitter.emit("event", Buffer.of(1, 255), { deep: [Buffer.of(5)] })',
    "emitter: in another namespace": 'emitter.of("/chat").to("room").emit("event")',
    "emitter: join": 'emitter.in("nobody").except("other").socketsJoin(["one", "two"])',
    "emitter: leave": 'emitter.in("nobody").socketsLeave("one")',
    "emitter: disconnect": 'emitter.in("nobody").disconnectSockets(true)',
    "emitter: server-side emit": 'emitter.serverSideEmit("told", 1, "é")',
}

CLASSIC = {
    "all rooms": 'await io.of("/").adapter.allRooms()',
    "sockets, as older versions ask": 'await ask({ uid: "older-", requestId: "000100", type: 0, rooms: ["room"] })',
    "join of a socket, as older versions ask": 'await ask({ uid: "older-", requestId: "000101", type: 2, sid: client, '
    'room: "one" })',
    "leave of a socket, as older versions ask": 'await ask({ uid: "older-", requestId: "000102", type: 3, sid: client, '
    'room: "one" })',
}

TABLE = {
    "classic": OPERATIONS | EMITTER | CLASSIC,
    "sharded": OPERATIONS,
    "streams": OPERATIONS | EMITTER,
}

#: What only a server that recovers clients says; the second one does these, of its own client.
RECOVERING = {
    "direct": 'io.sockets.sockets.get(client).emit("event", 1, "é")',
    "direct bytes": 'io.sockets.sockets.get(client).emit("event", Buffer.of(1, 255))',
    "volatile direct": 'io.sockets.sockets.get(client).volatile.emit("event")',
}
DIRECT_CALL = 'await io.sockets.sockets.get(client).timeout(5000).emitWithAck("ask", 1)'
LOSS = """
const lost = io.sockets.sockets.get(client);
const gone = new Promise((resolve) => lost.once("disconnect", resolve));
lost.conn.transport.socket.terminate();
await gone"""

#: What the operations may use beside the names that every code may.
SCOPE = """
const client = "{client}";
const ask = (request) => new Promise((resolve) => {{
  const pending = {{ type: request.type, sockets: new Set(), msgCount: 1, numSub: 2, resolve }};
  io.of("/").adapter.requests.set(request.requestId, pending);
  redis.publish("socket.io-request#/#", JSON.stringify(request));
}});
{code};
await redis.publish("end of the record", "");
"""

END = [b"PUBLISH", b"end of the record", b""]

#: What no two handshakes have in common is made the same.
ALIKE = """io.use(({ handshake }, next) => {
  Object.assign(handshake, { time: new Date(0).toUTCString(), issued: 1700000000123 });
  next();
})"""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis on which nobody else uses the default prefix."""
    with running(RedisServer) as server:
        yield server


class Recorder:
    """Two servers of Node.js, a client of the second, and what is said while they work."""

    def __init__(self, first: NodeServer, second: NodeServer, client: Client, monitor: Monitor) -> None:
        self.vectors: list[Vector] = []
        self._first = first
        self._second = second
        self._client = client
        self._monitor = monitor
        names = {client.id: CLIENT} | ({client.pid: PID} if client.pid else {})
        for node, fixed in (first, FIRST), (second, SECOND):
            names |= {uid: fixed[len(uid)] for uid in node.uids.values()}
        self._names = Names(names)

    async def record(self, operations: dict[str, str]) -> None:
        """What the first server does."""
        for name, code in operations.items():
            await self._start(self._first, code)
            await self._keep(name, code)

    async def record_calls(self) -> None:
        for name, (code, answer) in CALLS.items():
            await self._record_call(self._first, name, code, answer)

    async def record_recovery(self) -> None:
        """What the second server does for its client, and, at last, when that is lost."""
        for name, code in RECOVERING.items():
            await self._start(self._second, code)
            await self._keep(name, code)
        await self._record_call(self._second, "direct call", DIRECT_CALL, "é")
        await self._start(self._second, LOSS)
        await self._keep("session", LOSS)

    async def _record_call(self, node: NodeServer, name: str, code: str, answer: object) -> None:
        called = self._start(node, code)
        await self._client.answer(await self._client.asked(), answer)
        await called
        await self._keep(name, code)

    def _start(self, node: NodeServer, code: str) -> Awaitable[object]:
        return node.run(SCOPE.format(client=self._client.id, code=code))

    async def _keep(self, name: str, code: str) -> None:
        self.vectors.append(Vector(name, code, self._names.replace(await self._monitor.until(END))))


@pytest.mark.parametrize("kind", TABLE)
async def test_vectors_are_what_node_says(
    kind: str, redis: RedisServer, start_node: StartNode, connect: Connect
) -> None:
    """Whoever upgrades the npm packages sees here what changed on the wire."""
    options = {"namespaces": ["/", "/chat"]}
    if kind == "streams":
        options["connectionStateRecovery"] = {}
    first, second = await start_node(kind, redis.url, **options), await start_node(kind, redis.url, **options)
    await second.run(ALIKE)
    client = await connect(second.port, "room", name="somebody")
    monitor = await Monitor.start((LOOPBACK, redis.port))
    recorder = Recorder(first, second, client, monitor)
    await recorder.record(TABLE[kind])
    await recorder.record_calls()
    if kind == "streams":
        await recorder.record_recovery()
    monitor.stop()
    if "RECORD" in os.environ:
        save(kind, recorder.vectors)
    assert recorder.vectors == load(kind)
