"""What becomes of messages in a stream of Redis that goes away under traffic."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from tests.brokers.redis import RedisServer
from tests.contract.cluster import PATIENCE, Client, Cluster, Node, until, within
from tests.contract.kinds import KINDS, Kind
from txsocketio import AckTimeout, BrokerUnavailable
from txsocketio.types import Json

OwnRedis = Callable[..., Awaitable[RedisServer]]

#: Seconds that Redis is away.
OUTAGE = 3.0

#: Limits with which a frozen Redis is noticed while it is frozen.
QUICK = {"timeout": 1.0, "connect_timeout": 0.5, "probe_interval": 0.2, "probe_timeout": 0.4, "block_time": 0.5}


async def killed(redis: RedisServer) -> None:
    await redis.kill()
    await deferLater(reactor, OUTAGE)
    await redis.start()


async def frozen(redis: RedisServer) -> None:
    redis.freeze()
    await deferLater(reactor, OUTAGE)
    redis.thaw()


@pytest.fixture(params=[kind for kind in KINDS if kind.id.startswith("redis-streams")], ids=lambda kind: kind.id)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]


@pytest_twisted.async_yield_fixture
async def cluster(kind: Kind, own_redis: OwnRedis) -> AsyncIterator[Cluster]:
    """A cluster without nodes, on a Redis that loses nothing that it has acknowledged."""
    cluster = Cluster(kind, await own_redis("appendfsync always"))
    cluster.adapter |= QUICK  # type: ignore[operator]
    yield cluster
    await cluster.stop()


class Traffic:
    """Numbered events, from each of some nodes, in a `with` block.

    Attributes:
        count: how many each node has emitted.
    """

    def __init__(self, *nodes: Node) -> None:
        self.count = 0
        self._nodes = nodes
        self._emitted: list[Deferred[None]] = []
        self._loop = LoopingCall(self._emit)

    def __enter__(self) -> Self:
        self._loop.start(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.stop()

    def _emit(self) -> None:
        for number, node in enumerate(self._nodes):
            self._emitted.append(node.io.emit(f"of {number}", self.count))
        self.count += 1

    async def taken(self) -> None:
        """Wait until the broker has everything."""
        for each in self._emitted:
            await within(each)

    def is_complete(self, client: Client) -> bool:
        return len(client.events) >= self.count * len(self._nodes)

    def check(self, events: list[list[Json]]) -> None:
        """Everything is there once, what one node has emitted in that order."""
        for each in range(len(self._nodes)):
            assert [number for name, number in events if name == f"of {each}"] == [*range(self.count)]


@pytest.mark.parametrize("harm", [killed, frozen])
async def test_nothing_is_lost_or_repeated(cluster: Cluster, harm: Callable[[RedisServer], Awaitable[None]]) -> None:
    """Requests fail at once while Redis is away, and everything works soon after it is back."""
    redis: RedisServer = cluster.broker
    nodes = [await cluster.start() for _ in range(3)]
    client = await nodes[2].client()
    with Traffic(*nodes[:2]) as traffic:
        await until(lambda: traffic.count > 50 and client.events)
        harming = Deferred.fromCoroutine(harm(redis))
        await until(lambda: not any(node.io.broker.is_available for node in nodes))  # type: ignore[union-attr]
        with pytest.raises(BrokerUnavailable):
            await nodes[0].io.fetch_sockets().addTimeout(0.1, reactor)
        with pytest.raises(BrokerUnavailable):
            await nodes[1].io.timeout(10).call("ask").addTimeout(0.1, reactor)
        await harming
        await work_again(nodes, client)
    await traffic.taken()
    await until(lambda: traffic.is_complete(client), lambda: client.events[-5:])
    traffic.check(client.events)
    traffic.check(await events_in(redis, cluster.adapter["stream_name"]))  # type: ignore[index]


async def work_again(nodes: list[Node], client: Client) -> None:
    """Wait until every node can ask the others. One that is back before them may ask in vain."""
    latest = reactor.seconds() + PATIENCE
    for node in nodes:
        fetched: list[Json] = []
        while [socket.id for socket in fetched] != [client.id]:
            assert reactor.seconds() < latest
            try:
                fetched = await node.io.timeout(0.5).fetch_sockets()
            except (BrokerUnavailable, AckTimeout):
                await deferLater(reactor, 0.01)


async def events_in(redis: RedisServer, stream: str) -> list[list[Json]]:
    """The events in the stream, as every server of the cluster reads them."""
    lines = (await redis.cli("--raw", "XRANGE", stream, "-", "+")).splitlines()
    return [json.loads(line)["packet"]["data"] for line in lines if line.startswith('{"packet"')]


async def test_outbox_is_bounded(cluster: Cluster) -> None:
    """What is more than the outbox takes is an error at once; the rest arrives."""
    cluster.adapter |= {"max_outbox": 100}  # type: ignore[operator]
    nodes = [await cluster.start() for _ in range(2)]
    there = await nodes[1].client()
    redis: RedisServer = cluster.broker
    await redis.kill()
    await until(lambda: not nodes[0].io.broker.is_available)  # type: ignore[union-attr]
    emitted = [nodes[0].io.emit("n", number) for number in range(150)]
    for each in emitted[100:]:
        with pytest.raises(BrokerUnavailable):
            await each
    await redis.start()
    for each in emitted[:100]:
        await within(each)
    nodes[0].io.emit("end")
    await there.got(*(["n", number] for number in range(100)), ["end"])
