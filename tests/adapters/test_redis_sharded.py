"""Sharded publish/subscribe: which node is subscribed to what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_twisted

from tests.adapters.redis_clients import Watched
from tests.brokers.redis import RedisServer
from tests.contract.cluster import Cluster, Node, until, within
from tests.contract.kinds import Kind, of_redis

Start = Callable[..., Awaitable[tuple[Node, Node]]]


@pytest_twisted.async_yield_fixture
async def start(redis: RedisServer) -> AsyncIterator[Start]:
    """Starts two nodes with options of the adapter."""
    clusters: list[Cluster] = []

    async def start(**options: object) -> tuple[Node, Node]:
        clusters.append(Cluster(Kind("sharded", of_redis("+sharded", **options), settles=True), redis))
        return await clusters[-1].start(), await clusters[-1].start()

    yield start
    for cluster in clusters:
        await cluster.stop()


class Channels:
    """What a Redis is asked to tell."""

    def __init__(self, redis: RedisServer, node: Node) -> None:
        self._redis = redis
        self._key: str = node.io.broker.options.key

    async def count(self, room: str, namespace: str = "/") -> int:
        """How many are subscribed to the channel of a room."""
        counted = await self._redis.cli("PUBSUB", "SHARDNUMSUB", f"{self._key}#{namespace}#{room}#")
        return int(counted.splitlines()[-1])

    async def becomes(self, room: str, count: int) -> None:
        """Wait until so many are subscribed to it."""
        while await self.count(room) != count:
            pass


@pytest.mark.parametrize(
    ("mode", "room", "of_socket"), [("static", 0, 0), ("dynamic", 1, 0), ("dynamic-private", 1, 1)]
)
async def test_node_is_subscribed_to_rooms_of_its_clients(
    start: Start, redis: RedisServer, mode: str, room: int, of_socket: int
) -> None:
    """Which rooms have a channel, depends on the mode; it lives as long as somebody is in the room."""
    one, two = await start(subscription_mode=mode)
    channels = Channels(redis, one)
    first, second, other = await one.client("room"), await one.client("room"), await two.client()
    await channels.becomes("room", room)
    await channels.becomes(first.id, of_socket)
    other.socket.join("room")
    await channels.becomes("room", 2 * room)
    other.socket.leave("room")
    await channels.becomes("room", room)
    first.cut()
    assert await channels.count("room") == room
    second.cut()
    await channels.becomes("room", 0)
    await channels.becomes(first.id, 0)


@pytest.mark.parametrize(
    ("room", "is_common"),
    [
        ("x" * 20, True),
        ("\N{CAT FACE}" * 10, True),
        ("\u00fc" * 20, True),
        ("\N{CAT FACE}" * 20, False),
        ("x" * 19, False),
    ],
)
async def test_room_whose_name_is_as_long_as_an_id_is_reached(
    start: Start, redis: RedisServer, client: Callable[..., Watched], room: str, is_common: bool
) -> None:
    """Node's servers take it for that of a socket, which has no channel; JavaScript counts a cat face as two."""
    one, two = await start()
    there = await two.client(room)
    listening = client(redis.url)
    await listening.start()
    prefix = f"{one.io.broker.options.key}#/#"
    channels = [prefix.encode(), f"{prefix}{room}#".encode(), f"{prefix}room#".encode()]
    await listening.ssubscribe(*channels)
    one.io.to(room).emit("event")
    one.io.to("room").emit("other")
    await there.got(["event"])
    heard = [channel for _, channel, _ in await listening.messages(2)]
    assert heard == [channels[0 if is_common else 1], channels[2]]


async def test_room_that_others_were_just_told_to_join_is_reached(start: Start) -> None:
    """Though they have yet to subscribe to its channel; in the order in which it was said."""
    one, two = await start()
    there = await two.client()
    for number in range(20):
        one.io.sockets_join(f"room {number}")
        one.io.to(f"room {number}").emit("n", number)
    await there.got(*(["n", number] for number in range(20)))


async def test_namespaces_that_share_a_channel_do_not_end_it_for_each_other(start: Start) -> None:
    """Room "b" of "/a" and everybody in "/a#b"."""
    one, two = await start()
    for node in (one, two):
        await within(node.io.of("/a").adapter.start())
        await within(node.io.of("/a#b").adapter.start())
    in_room, elsewhere = await two.client("b", name="/a"), await two.client(name="/a#b")
    await until(lambda: two.io.of("/a").adapter.rooms.names())
    in_room.socket.leave("b")
    await within(one.io.of("/a#b").emit("still here"))
    await elsewhere.got(["still here"])
    assert not in_room.events
