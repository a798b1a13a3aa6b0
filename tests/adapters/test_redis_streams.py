"""Servers that are joined by streams of Redis: what is more than the contract asks."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_twisted
from msgpack import packb, unpackb
from twisted.internet.defer import Deferred

from tests.adapters.redis_clients import QUICK, Log, OwnRedis, Watched
from tests.brokers.redis import RedisServer
from tests.contract.cluster import PATIENCE, Client, Cluster, Node, silence, until, within
from tests.contract.kinds import RECOVERY, Kind, of_streams
from txsocketio import AckTimeout, OptionError, Server, UnserializableData
from txsocketio.adapters.redis.streams_store import APPEND, RedisSessions
from txsocketio.adapters.redis.streams_wire import position_of
from txsocketio.errors import BrokerError
from txsocketio.types import Json

Start = Callable[..., Awaitable[list[Node]]]

EVERYBODY: dict[str, Json] = {"rooms": [], "except": []}

#: Who writes what the tests put into streams.
STRANGER = "0123456789abcdef"


@pytest_twisted.async_yield_fixture
async def start(redis: RedisServer) -> AsyncIterator[Start]:
    """Starts nodes with options of the adapter, two of them; clients can come back unless `recovers` is false."""
    clusters: list[Cluster] = []

    async def start(
        server: RedisServer = redis, count: int = 2, recovers: bool = True, **options: object
    ) -> list[Node]:
        kind = Kind("redis-streams", of_streams, options=RECOVERY if recovers else {})
        clusters.append(Cluster(kind, server))
        clusters[-1].adapter |= options  # type: ignore[operator]
        return [await clusters[-1].start() for _ in range(count)]

    yield start
    for cluster in clusters:
        await cluster.stop()


class Stranger:
    """Somebody else on the Redis of a cluster.

    Attributes:
        heard: the type and the data of what was published, in order.
    """

    def __init__(self, client: Watched, name: str) -> None:
        self.client = client
        self.heard: list[tuple[int, Json]] = []
        self._name = name
        client.on_message = lambda pattern, channel, message: self._hear(unpackb(message))

    def _hear(self, message: dict[str, Json]) -> None:
        self.heard.append((message["type"], message["data"]))

    @classmethod
    async def come(cls, node: Node, client: Watched) -> Stranger:
        """Be there before anything is said that is to be heard."""
        self = cls(client, node.io.broker.options.stream_name)  # type: ignore[union-attr]
        await client.start()
        await client.psubscribe(self._name.encode() + b"*")
        return self

    def add(self, type: int, data: Json = None, id: str = "*", **fields: str) -> Deferred[bytes]:
        """Add an entry to the stream; fires with its id."""
        entry = {"uid": STRANGER, "nsp": "/", "type": str(type), **fields}
        if data is not None:
            entry["data"] = data if isinstance(data, str) else json.dumps(data)
        words = [word for field in entry.items() for word in field]
        return self.client.execute("XADD", self._name, id, *words)

    def event(self, name: str, opts: Json = EVERYBODY, **more: Json) -> Deferred[bytes]:
        return self.add(3, {"packet": {"type": 2, "data": [name]}, "opts": opts, **more})

    def execute(self, command: str, *words: str | int) -> Deferred[Json]:
        """A command about the stream."""
        return self.client.execute(command, self._name, *words)

    async def entries(self) -> list[dict[bytes, bytes]]:
        found = await self.execute("XRANGE", "-", "+")
        return [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in found]


@pytest.fixture
def stranger(client: Callable[..., Watched]) -> Callable[[Node, str], Awaitable[Stranger]]:
    """Somebody who knows the names of a cluster."""
    return lambda node, url: Stranger.come(node, client(url))


StrangerComes = Callable[[Node, str], Awaitable[Stranger]]

# Entries of others


@pytest.mark.parametrize("recovers", [True, False])
async def test_bad_entries_are_dropped_and_counted(
    start: Start, redis: RedisServer, stranger: StrangerComes, recovers: bool
) -> None:
    """Those that keep a server of Node.js from reading on, too."""
    one, _ = await start(recovers=recovers)
    client, other = await one.client(), await stranger(one, redis.url)
    event = {"packet": {"type": 2, "data": ["event"]}, "opts": EVERYBODY}
    bad: list[Json] = [None, "", "{", "[]", "é", {}, {**event, "packet": None}, {**event, "packet": {"type": 2}}]
    bad += [{**event, "opts": None}, {**event, "opts": {"rooms": 1}}, {"packet": event["packet"]}]
    for data in bad:
        await other.add(3, data)
    for type in (4, 5, 6, 7, 102):
        if recovers or type != 102:
            await other.add(type)
    for type in (0, 8, 10, 11, 12, 14, 99):
        await other.add(type, {"requestId": "nobody's", "clientCount": 1, "sockets": []})
    await other.client.execute("XADD", one.io.broker.options.stream_name, "*", "a", "b")  # type: ignore[union-attr]
    await other.event("after")
    await client.got(["after"])
    assert one.io.broker.dropped == len(bad) + (5 if recovers else 4)  # type: ignore[union-attr]


async def test_offset_is_the_id_of_the_entry(start: Start, redis: RedisServer, stranger: StrangerComes) -> None:
    one, _ = await start()
    client, other = await one.client(), await stranger(one, redis.url)
    offset = await other.event("event")
    await client.got(["event"])
    assert client.offset == offset.decode()


@pytest.mark.parametrize("more", [{"id": 5}, {"id": None}])
async def test_acknowledged_event_of_node_is_sent_once(
    start: Start, redis: RedisServer, stranger: StrangerComes, more: dict[str, Json]
) -> None:
    """It has no offset, its number is not that of a call of ours, and who comes back does not get it again."""
    one, two = await start()
    client, other = await one.client(), await stranger(one, redis.url)
    await other.event("before")
    await other.add(3, {"packet": {"type": 2, "data": ["ask"], **more}, "opts": EVERYBODY})
    await client.got(["before"], ["ask"])
    assert client.sent[-1].lstrip("2").lstrip("0123456789") == '["ask"]'
    client.cut()
    again = await client.back(two)
    await other.event("after")
    await again.got(["before"], ["ask"], ["after"])


async def test_questions_in_a_stream_are_answered(start: Start, redis: RedisServer, stranger: StrangerComes) -> None:
    """And not asked again when somebody comes back."""
    one, two = await start()
    client, other = await one.client(), await stranger(one, redis.url)
    client.answers["ask"] = "answer"
    await other.event("before")
    await other.event("ask", requestId="call")
    await other.add(7, {"opts": EVERYBODY, "requestId": "fetch"})
    await until(lambda: len(other.heard) >= 5, lambda: other.heard)
    assert sorted((type, data["requestId"], data.get("clientCount")) for type, data in other.heard) == [
        (8, "fetch", None),
        (8, "fetch", None),
        (11, "call", 0),
        (11, "call", 1),
        (12, "call", None),
    ]
    client.cut()
    again = await client.back(two)
    await other.event("after")
    await again.got(["before"], ["ask"], ["after"])


# What servers of Node.js are told


async def test_call_is_an_entry_of_ours_and_a_question_for_node(
    start: Start, redis: RedisServer, stranger: StrangerComes
) -> None:
    """Node gets the question when its place in the stream has come."""
    one, two = await start()
    client, other = await two.client(), await stranger(one, redis.url)
    client.answers["ask"] = "answer"
    with pytest.raises(AckTimeout):  # the stranger counts as a node only when it is subscribed by name
        await other.client.subscribe(one.io.root.adapter.channel)  # type: ignore[attr-defined]
        await one.io.timeout(0.3).call("ask")
    assert [entry[b"type"] for entry in await other.entries()] == [b"101"]
    ((_, data),) = {json.dumps(heard): heard for heard in other.heard if heard[0] == 3}.values()
    assert (data["packet"]["data"], data["twin"]) == (["ask"], True)
    assert client.events == [["ask"]]


async def test_what_is_not_for_clients_that_come_back_is_no_event(
    start: Start, redis: RedisServer, stranger: StrangerComes
) -> None:
    one, two = await start()
    other = await stranger(one, redis.url)
    told = Deferred[None]()
    two.io.on("told", lambda: told.callback(None))
    await one.io.server_side_emit("told")
    await within(told)
    await one.io.fetch_sockets()
    await one.io.sockets_join("room")
    await one.io.emit("event")
    assert [entry[b"type"] for entry in await other.entries()] == [b"9", b"4", b"3"]


async def test_handshakes_are_kept_back(start: Start) -> None:
    one, two = await start(share_handshakes=False)
    await two.client(auth={"token": "secret"})
    (socket,) = await one.io.fetch_sockets()
    assert (socket.handshake.auth, dict(socket.handshake.headers)) == ({}, {})


async def test_bytes_can_be_forbidden(start: Start) -> None:
    (one,) = await start(count=1, only_plaintext=True)
    with pytest.raises(UnserializableData):
        one.io.emit("event", b"bytes")


# Sessions


async def test_session_is_one_that_node_can_restore(
    start: Start, redis: RedisServer, client: Callable[..., Watched]
) -> None:
    """When a server of Node.js has taken it, ours lets the connection go that it still has."""
    (one,) = await start(count=1)
    there = await one.client("room")
    there.socket.data["name"] = "ann"
    stranger = client(redis.url)
    await stranger.start()
    key = f"{one.io.broker.options.session_key_prefix}{there.pid}"  # type: ignore[union-attr]
    session: dict[str, Json] = {}
    while session.get("data") != {"name": "ann"}:
        session = unpackb(b64decode(await stranger.execute("GET", key)))
    assert (session["sid"], session["pid"], sorted(session["rooms"])) == (
        there.id,
        there.pid,
        sorted([there.id, "room"]),
    )
    assert 30_000 < await stranger.execute("PTTL", key) <= 35_000
    await stranger.execute("GETDEL", key)
    there.socket.join("other")
    await until(lambda: there.ended)
    assert there.ended == "session taken over"


async def test_session_of_node_is_restored(start: Start, redis: RedisServer, stranger: StrangerComes) -> None:
    (one,) = await start(count=1)
    other = await stranger(one, redis.url)
    offset = await other.event("had")
    session = {"sid": "theirs", "pid": "their-pid", "rooms": ["theirs", "room"], "data": {"name": "ann"}}
    key = one.io.broker.options.session_key_prefix + "their-pid"  # type: ignore[union-attr]
    await other.client.execute("SET", key, b64encode(packb(session)), "PX", 30_000)
    await other.event("missed", {"rooms": ["room"], "except": []})
    client = await Client(one).join({"pid": "their-pid", "offset": offset.decode()})
    assert (client.id, client.pid, client.socket.recovered) == ("theirs", "their-pid", True)
    await client.got(["missed"])


async def test_session_is_swapped_when_it_is_what_one_thinks(
    redis: RedisServer, client: Callable[..., Watched]
) -> None:
    connection = client(redis.url)
    await connection.start()
    sessions = RedisSessions(connection, f"test:{id(connection)}:", 1.0)
    assert await sessions.get("pid") is None
    assert await sessions.swap("pid", b"other", b"new") is None
    assert await sessions.swap("pid", None, b"new") == b"new"
    assert await sessions.swap("pid", None, b"newer") == b"new"
    assert await sessions.swap("pid", b"new", b"newer") == b"newer"
    assert await sessions.swap("pid", b"new", b"newer") == b"newer"
    assert await sessions.get("pid") == b"newer"
    assert await sessions.swap("pid", b"new", None) == b"newer"
    assert await sessions.swap("pid", b"newer", None) is None
    assert await sessions.get("pid") is None


# Writing


async def test_entry_that_is_there_is_not_added_again(redis: RedisServer, client: Callable[..., Watched]) -> None:
    """Not in another group either, and not when an old group comes late."""
    connection = client(redis.url)
    await connection.start()
    keys = f"{{test{id(connection)}}}", f"{{test{id(connection)}}}:node"

    async def append(*numbers: int) -> None:
        entries = [word for number in numbers for word in (number, "/", "3", "{}", "")]
        await connection.eval(APPEND, keys, ["node", 1000, 60, *entries])

    await append(1, 2)
    await append(1, 2)
    await append(2, 3, 5)
    await append(1)
    await append(6)
    entries = await connection.execute("XRANGE", keys[0], "-", "+")
    assert [fields for _, fields in entries] == [
        [b"uid", b"node", b"nsp", b"/", b"type", b"3", b"data", b"{}", b"n", b"%d" % number]
        for number in (1, 2, 3, 5, 6)
    ]


async def test_redis_that_is_out_of_memory_is_waited_for(own_redis: OwnRedis, start: Start) -> None:
    redis = await own_redis()
    one, two = await start(redis)
    client = await two.client()
    assert await redis.cli("CONFIG", "SET", "maxmemory", "1") == "OK"
    emitted = [one.io.emit("n", number) for number in range(3)]
    await until(lambda: len(one.io.broker.writer_of("/").outbox) == 3)  # type: ignore[union-attr]
    assert await redis.cli("CONFIG", "SET", "maxmemory", "0") == "OK"
    for each in emitted:
        await within(each)
    await client.got(["n", 0], ["n", 1], ["n", 2])


async def test_what_redis_refuses_fails(start: Start, redis: RedisServer, stranger: StrangerComes) -> None:
    one, two = await start()
    other = await stranger(one, redis.url)
    await other.execute("SET", "no stream")
    with pytest.raises(BrokerError, match="WRONGTYPE"):
        await one.io.emit("event")
    await other.execute("DEL")
    client = await two.client()
    await one.io.emit("event")
    await client.got(["event"])


async def test_session_that_is_taken_without_a_word_ends_the_connection(
    start: Start, redis: RedisServer, stranger: StrangerComes
) -> None:
    """As servers of Node.js do; but not when an outage may be why it is gone."""
    (one,) = await start(redis, 1, session_check_interval=0.05)
    taken, kept, other = await one.client(), await one.client(), await stranger(one, redis.url)
    prefix = one.io.broker.options.session_key_prefix  # type: ignore[union-attr]
    await other.client.execute("DEL", f"{prefix}{taken.pid}")
    await until(lambda: taken.ended)
    assert taken.ended == "session taken over"
    assert kept.is_open
    one.io.broker.outages += 1  # type: ignore[union-attr]
    await other.client.execute("DEL", f"{prefix}{kept.pid}")
    while not await other.client.execute("EXISTS", f"{prefix}{kept.pid}"):
        await silence()
    assert kept.is_open


async def test_nobody_looks_for_sessions_who_may_not(own_redis: OwnRedis, start: Start) -> None:
    redis = await own_redis("user default on nopass ~* &* +@all -exists")
    (one,) = await start(redis, 1, session_check_interval=0.05)
    with Log() as lines:
        client = await one.client()
        await until(lambda: lines)
        await one.io.emit("event")
        await client.got(["event"])
        await silence()
    (line,) = lines
    assert "NOPERM" in line


# Reading


async def cut_off_readers(other: Stranger) -> None:
    """All connections of the servers are closed; what is sent to Redis now is done before they are back."""
    other.client.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").addErrback(lambda _: None)


@pytest.mark.parametrize("recovers", [True, False])
async def test_entries_that_are_gone_before_they_were_read_are_told_of(
    own_redis: OwnRedis, start: Start, stranger: StrangerComes, recovers: bool
) -> None:
    """Clients have to come back, so that applications see it; who has missed something is not recovered."""
    redis = await own_redis()
    (one,) = await start(redis, 1, recovers, **QUICK)
    client, leaving, other = await one.client(), await one.client(), await stranger(one, redis.url)
    await other.event("first")
    await client.got(["first"])
    await leaving.got(["first"])
    leaving.cut()
    with Log() as lines:
        await cut_off_readers(other)
        other.event("gone").addErrback(lambda _: None)
        other.event("there").addErrback(lambda _: None)
        await other.execute("XTRIM", "MAXLEN", 1)
        await until(lambda: client.ended)
    assert len([line for line in lines if "were removed before they were read" in line]) == 1
    assert (client.ended, client.events) == ("forced close", [["first"]])
    for each in (client, leaving):
        assert (await each.back()).id != each.id


async def test_node_that_has_read_what_is_gone_recovers_the_clients_of_others(
    own_redis: OwnRedis, start: Start, stranger: StrangerComes
) -> None:
    """It has everything that they have missed in memory."""
    redis = await own_redis()
    slow, quick = await start(redis, 2, **QUICK)
    client, other = await slow.client(), await stranger(slow, redis.url)
    await other.event("first")
    await client.got(["first"])
    reader = slow.io.broker.reader_of("/")  # type: ignore[union-attr]
    reader.stop()
    await other.event("gone")
    last = position_of(await other.event("there"))
    await quick.io.root.adapter.progress.reached(last, PATIENCE)
    await other.execute("XTRIM", "MAXLEN", 1)
    reader.on_gap(last - 1, True)
    assert client.ended
    again = await client.back(quick)
    assert again.id == client.id
    await again.got(["first"], ["gone"], ["there"])


async def test_stream_that_was_deleted_is_read_from_its_new_beginning(
    own_redis: OwnRedis, start: Start, stranger: StrangerComes
) -> None:
    redis = await own_redis()
    (one,) = await start(redis, 1, **QUICK)
    client, other = await one.client(), await stranger(one, redis.url)
    await other.event("first")
    await client.got(["first"])
    with Log() as lines:
        await cut_off_readers(other)
        other.execute("DEL").addErrback(lambda _: None)
        data = {"packet": {"type": 2, "data": ["second"]}, "opts": EVERYBODY}
        await other.add(3, data, id="5-1")
        await until(lambda: client.ended)
    assert len([line for line in lines if "was deleted" in line]) == 1
    again = await client.back()
    assert again.id != client.id
    await other.add(3, {**data, "packet": {"type": 2, "data": ["third"]}}, id="6-1")
    await until(lambda: ["third"] in again.events)


async def test_stream_that_lost_its_end_is_not_read_twice(
    own_redis: OwnRedis, start: Start, stranger: StrangerComes
) -> None:
    """As after a crash of Redis, when it did not write at once what it had taken."""
    redis = await own_redis()
    (one,) = await start(redis, 1, **QUICK)
    client, other = await one.client(), await stranger(one, redis.url)
    for number in range(3):
        last = await other.event(f"event {number}")
    await client.got(*([f"event {number}"] for number in range(3)))
    with Log() as lines:
        await cut_off_readers(other)
        entries = await other.execute("XRANGE", "-", "+")
        other.execute("DEL").addErrback(lambda _: None)
        for id, fields in entries[:-1]:
            other.execute("XADD", id, *fields).addErrback(lambda _: None)
        await until(lambda: lines and any("that of before" in line for line in lines))
    await other.event("after")
    await client.got(*([f"event {number}"] for number in range(3)), ["after"])
    assert client.offset is not None and client.offset > last.decode()


async def test_nothing_is_read_that_was_there_before(start: Start, redis: RedisServer, stranger: StrangerComes) -> None:
    one, _ = await start()
    other = await stranger(one, redis.url)
    await other.event("before")
    options = one.io.broker.options  # type: ignore[union-attr]
    url = redis.url.replace("://", "+streams://")
    late = Node({"url": url, "stream_name": options.stream_name, "channel_prefix": "late"}, RECOVERY)
    await within(late.io.start())
    client = await late.client()
    await other.event("after")
    await client.got(["after"])
    await late.stop()


@pytest.mark.parametrize("recovers", [True, False])
async def test_large_event_reaches_whom_it_is_for(start: Start, recovers: bool) -> None:
    one, two = await start(recovers=recovers)
    here, there, elsewhere = await one.client("room"), await two.client("room"), await two.client()
    await one.io.to("room").emit("text", "x" * 5000)
    await one.io.to("room").emit("bytes", b"x" * 5000)
    await one.io.to("nobody").emit("text", "x" * 5000)
    await one.io.emit("end")
    for client in (here, there):
        await client.got(["text", "x" * 5000], ["bytes", b"x" * 5000], ["end"])
    await elsewhere.got(["end"])
    if recovers:
        elsewhere.cut()
        await one.io.emit("text", "y" * 5000)
        await (await elsewhere.back()).got(["end"], ["text", "y" * 5000])


# Options


async def test_several_streams_share_the_namespaces(start: Start, redis: RedisServer, stranger: StrangerComes) -> None:
    """Of a name for which servers of Node.js write where nobody reads, it is told."""
    with Log() as lines:
        one, two = await start(stream_count=3)
        clients = []
        for name in ("/", "/chat", "/notifications"):
            await within(one.io.of(name).adapter.start())
            await within(two.io.of(name).adapter.start())
            clients.append(await two.client(name=name))
            await one.io.of(name).emit("event", name)
    for client in clients:
        await client.got(["event", client.name])
    other = await stranger(one, redis.url)
    name = other._name
    assert [await other.client.execute("XLEN", f"{name}-{number}") for number in range(3)] == [0, 1, 2]
    assert len([line for line in lines if "which nobody reads" in line]) == 2
    assert all("/notifications" in line and f"{name}--2" in line for line in lines)


async def test_channels_can_be_those_of_shards(start: Start, redis: RedisServer) -> None:
    one, two = await start(use_sharded_pub_sub=True)
    client = await two.client()
    client.answers["ask"] = "answer"
    assert await within(one.io.timeout(5).call("ask")) == ["answer"]
    channel = one.io.root.adapter.channel.decode()  # type: ignore[attr-defined]
    assert await redis.cli("PUBSUB", "SHARDNUMSUB", channel) == f"{channel}\n2"


@pytest.mark.parametrize("option", ["stream_count=0", "max_len=-1", "read_count=0", "block_time=0", "block_time=inf"])
def test_options_are_checked(option: str) -> None:
    with pytest.raises(OptionError, match=option.partition("=")[0]):
        Server(adapter=f"redis+streams://localhost?{option}")


async def test_server_can_be_started_again(start: Start) -> None:
    one, two = await start()
    client = await two.client()
    await within(one.io.close())
    await within(one.io.start())
    await within(one.io.emit("event"))
    await client.got(["event"])
