"""What a server of Node.js does with messages that its own kind does not send: our adapters rest on it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.brokers.redis import RedisServer
from tests.mixed.clients import LOOPBACK
from tests.mixed.conftest import Connect, node_servers
from tests.mixed.javascript import javascript
from tests.mixed.monitor import Monitor
from tests.mixed.node import NodeServer
from tests.mixed.vectors import meaning

#: Who sends what the tests put into Redis.
STRANGER = "0123456789abcdef"

EVERYBODY: dict[str, Any] = {"rooms": [], "except": []}


@pytest.fixture(scope="module")
def streams(redis: RedisServer) -> Iterator[NodeServer]:
    """One with connection state recovery."""
    with node_servers() as start:
        starting = start("streams", redis.url, prefix="tolerant", connectionStateRecovery={})
        yield blockon(Deferred.fromCoroutine(starting))


@pytest.fixture(scope="module")
def classic(redis: RedisServer) -> Iterator[NodeServer]:
    with node_servers() as start:
        yield blockon(Deferred.fromCoroutine(start("classic", redis.url, prefix="tolerant")))


@pytest.fixture(scope="module")
def sharded(redis: RedisServer) -> Iterator[NodeServer]:
    with node_servers() as start:
        yield blockon(Deferred.fromCoroutine(start("sharded", redis.url, prefix="tolerant")))


def event(name: str, **more: object) -> dict[str, Any]:
    """The data of a broadcast to everybody."""
    return {"packet": {"type": 2, "data": [name]}, "opts": EVERYBODY, **more}


def add(node: NodeServer, type: object, data: object = None, **fields: str) -> Awaitable[str]:
    """Add an entry to the stream; fires with its id."""
    entry = {"uid": STRANGER, "nsp": "/", "type": str(type), **fields}
    if data is not None:
        entry["data"] = json.dumps(data)
    return node.evaluate(f"redis.xAdd('tolerant', '*', {javascript(entry)})")


# Streams


async def test_types_unknown_in_a_stream_are_passed_over(streams: NodeServer, connect: Connect) -> None:
    """A stream can carry messages that only we understand."""
    client = await connect(streams.port)
    for type in (0, 1, 2, 13, 14, 100, "other"):
        await add(streams, type)
        await add(streams, type, {"requestId": "1", "more": [1]})
    for answer in (8, 10, 11, 12):
        await add(streams, answer, {"requestId": "nobody's"})
    offset = await add(streams, 3, event("after"))
    assert await client.event() == ["after", offset]


async def test_what_is_unknown_in_an_entry_is_passed_over(streams: NodeServer, connect: Connect) -> None:
    """Fields, and keys at every level, can be added to what Node understands; its clients do not see them."""
    client = await connect(streams.port)
    data = event("event", opts=EVERYBODY | {"flags": {"more": 1}, "more": 1}, more=1)
    data["packet"]["more"] = 1
    offset = await add(streams, 3, data, more="1", number="2")
    assert await client.event() == ["event", offset]


@pytest.mark.parametrize(
    ("flags", "with_offset"),
    [({}, True), (None, True), ({"volatile": True}, False), ({"volatile": False}, False)],
)
async def test_offset_comes_with_what_has_no_flag_volatile(
    streams: NodeServer, connect: Connect, flags: object, with_offset: bool
) -> None:
    """Of a flag it matters whether it is there, so one that is not set must not be written."""
    client = await connect(streams.port)
    offset = await add(streams, 3, event("event", opts=EVERYBODY | {"flags": flags}))
    assert await client.event() == ["event", *([offset] if with_offset else [])]


async def test_questions_in_a_stream_are_answered(redis: RedisServer, streams: NodeServer, connect: Connect) -> None:
    """Node asks its questions by publish/subscribe, but answers those that stand in the stream."""
    client = await connect(streams.port)
    monitor = await Monitor.start((LOOPBACK, redis.port))
    await add(streams, 3, event("ask", requestId="call"))
    await client.answer(await client.asked(), "answer")
    await add(streams, 7, {"opts": EVERYBODY, "requestId": "fetch"})
    await add(streams, 9, {"packet": ["asked", 5], "requestId": "server"})
    answers = [await published(monitor, f"tolerant#/#{STRANGER}#") for _ in range(4)]
    monitor.stop()
    assert [(each["type"], each["data"]["requestId"]) for each in answers] == [
        (11, "call"),
        (12, "call"),
        (8, "fetch"),
        (10, "server"),
    ]


async def published(monitor: Monitor, channel: str) -> Any:
    """The next message that is published there."""
    while (command := await monitor.next())[:2] != [b"PUBLISH", channel.encode()]:
        pass
    return meaning(command[2])


async def test_session_that_somebody_else_has_stored_is_restored(streams: NodeServer, connect: Connect) -> None:
    """Ids of any form, more keys than Node knows, and the offset of an entry that it passes over."""
    session = {"sid": "our-id", "pid": "our-pid", "rooms": ["our-id", "room"], "data": {"name": "us"}, "position": 5}
    await store(streams, session)
    offset = await add(streams, 100)
    missed = await add(streams, 3, event("missed", opts={"rooms": ["room"], "except": []}))
    client = await connect(streams.port, auth={"pid": "our-pid", "offset": offset})
    assert (client.id, client.pid, client.missed) == ("our-id", "our-pid", [["missed", missed]])


async def store(node: NodeServer, session: dict[str, Any]) -> None:
    packed = f"require('@msgpack/msgpack').encode({javascript(session)})"
    await node.run(f"await redis.set('sio:session:{session['pid']}', Buffer.from({packed}).toString('base64'))")


async def test_everything_in_a_stream_that_looks_like_an_event_is_sent_on_recovery(
    streams: NodeServer, connect: Connect
) -> None:
    """Volatile events and questions too: what a client must not get twice has to have another type."""
    await store(streams, {"sid": "replayed", "pid": "replaying", "rooms": ["replayed"], "data": {}})
    offset = await add(streams, 100)
    await add(streams, 3, event("volatile", opts=EVERYBODY | {"flags": {"volatile": True}}))
    await add(streams, 3, event("ask", requestId="call"))
    await add(streams, 100, event("ours"))
    client = await connect(streams.port, auth={"pid": "replaying", "offset": offset})
    assert [name for name, _ in client.missed] == ["volatile", "ask"]


# Publish/subscribe


def request(node: NodeServer, message: object) -> Awaitable[None]:
    """Publish a request of the classic kind."""
    return node.evaluate(f"redis.publish('tolerant-request#/#', JSON.stringify({javascript(message)}))")


async def test_what_is_unknown_in_classic_messages_is_passed_over(classic: NodeServer, connect: Connect) -> None:
    """Keys can be added to what Node understands, and types to those that it knows."""
    client = await connect(classic.port)
    await request(classic, {"uid": "other-", "type": 99, "more": 1})
    await request(classic, {"type": 2, "opts": EVERYBODY | {"more": 1}, "rooms": ["room"], "more": 1})
    await request(classic, {"uid": "other-", "type": 6, "data": ["told", 1], "more": 1})
    assert await classic.heard.get() == [1]
    packet = {"type": 2, "data": ["event"], "nsp": "/", "more": 1}
    message = ["other-", packet, {"rooms": ["room"], "more": 1}, {"more": 1}]
    await classic.run(f"redis.publish('tolerant#/#', require('notepack.io').encode({javascript(message)}))")
    assert await client.event() == ["event"]


#: Another server of a classic cluster, which answers each request with the messages that `answers` makes.
OTHER_SERVER = """
const { decode } = require("notepack.io");
const other = redis.duplicate();
await other.connect();
await other.subscribe("tolerant-request#/#", (message) => {
  const { requestId } = message[0] === 0x7b ? JSON.parse(message) : decode(message);
  for (const answer of %s) redis.publish("tolerant-response#/#", JSON.stringify({ requestId, ...answer }));
}, true);
const result = %s;
await other.disconnect();
return result;
"""


async def test_fetched_sockets_need_no_handshake(classic: NodeServer) -> None:
    """The secrets in it can stay at home; keys can be added."""
    socket = {"id": "remote", "rooms": ["room"], "data": {"name": "us"}, "more": 1}
    answers = [{"uid": "other-", "sockets": [socket], "more": 1}]
    found = await classic.run(OTHER_SERVER % (javascript(answers), "(await io.fetchSockets()).map(described)"))
    assert {"id": "remote", "rooms": ["room"], "data": {"name": "us"}, "handshake": None} in found


async def test_client_count_cannot_be_taken_back(classic: NodeServer, connect: Connect) -> None:
    """A second count is taken for that of one more server: the call times out."""
    client = await connect(classic.port)
    answers = [{"type": 8, "clientCount": 1}, {"type": 8, "clientCount": -1}]
    called = classic.run(OTHER_SERVER % (javascript(answers), 'await outcome(io.timeout(100).emitWithAck("ask"))'))
    await client.answer(await client.asked(), "answer")
    assert await called == {"answers": ["answer"], "error": "operation has timed out"}


async def test_types_unknown_in_sharded_messages_are_passed_over(sharded: NodeServer, connect: Connect) -> None:
    """As in a stream."""
    client = await connect(sharded.port)
    for type, data in ((100, {}), (1, None), (3, event("event", more=1))):
        message = {"type": type, "data": data, "uid": STRANGER, "nsp": "/", "more": 1}
        await sharded.run(f"await redis.sPublish('tolerant#/#', JSON.stringify({javascript(message)}))")
    assert await client.event() == ["event"]
