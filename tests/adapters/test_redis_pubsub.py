"""Servers that are joined by publish/subscribe, of both kinds, while their Redis goes away and comes back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from tests.adapters.redis_clients import QUICK, OwnRedis
from tests.brokers.redis import RedisServer
from tests.contract.cluster import Client, Cluster, Node, until, within
from tests.contract.kinds import Kind, of_redis
from txsocketio import BrokerUnavailable
from txsocketio.types import Json

Start = Callable[..., Awaitable[tuple[RedisServer, Node, Node]]]

#: Seconds that Redis is away under traffic.
OUTAGE = 10.0 if "TXSOCKETIO_LONG" in os.environ else 1.0


@pytest_twisted.async_yield_fixture(params=["", "+sharded"], ids=["classic", "sharded"])
async def start(request: pytest.FixtureRequest, own_redis: OwnRedis) -> AsyncIterator[Start]:
    """Starts two nodes with a Redis of their own."""
    clusters: list[Cluster] = []

    async def start(**options: object) -> tuple[RedisServer, Node, Node]:
        redis = await own_redis()
        clusters.append(Cluster(Kind("redis", of_redis(request.param, **QUICK, **options), settles=True), redis))
        return redis, await clusters[-1].start(), await clusters[-1].start()

    yield start
    for cluster in clusters:
        await cluster.stop()


def outcome(deferred: Deferred[Json]) -> list[Json]:
    """What it has fired or failed with, as soon as it has."""
    outcome: list[Json] = []
    deferred.addBoth(outcome.append)
    return outcome


async def away(*nodes: Node) -> None:
    """All nodes have noticed."""
    for node in nodes:
        await until(lambda: not node.io.broker.is_available)  # noqa: B023 - awaited here


async def back(*nodes: Node) -> None:
    """All nodes are connected again."""
    for node in nodes:
        await until(lambda: node.io.broker.is_available)  # noqa: B023 - awaited here


async def clients_of(*nodes: Node) -> list[Client]:
    return [await node.client("room") for node in nodes]


async def test_what_was_accepted_arrives_when_redis_is_back(start: Start) -> None:
    """In order, and before what is emitted then; clients of the node that emits get everything at once."""
    redis, one, two = await start()
    here, there = await clients_of(one, two)
    await within(one.io.to("room").emit("n", 0))
    await redis.kill()
    await away(one, two)
    accepted = [outcome(one.io.to("room").emit("n", number)) for number in range(1, 1001)]
    assert here.named("n") == [[number] for number in range(1001)]
    await redis.start()
    await back(one, two)
    await within(one.io.emit("n", 1001))
    await until(lambda: len(there.named("n")) == 1002, lambda: there.named("n"))
    assert there.named("n") == here.named("n") == [[number] for number in range(1002)]
    assert accepted == [[None]] * 1000


@pytest.mark.timeout(60)
async def test_redis_is_killed_under_traffic(start: Start) -> None:
    """Clients of the node that emits get everything at once, the others what did not fail, in order."""
    redis, one, two = await start()
    here, there = await clients_of(one, two)
    emitted: list[list[Json]] = []
    traffic = LoopingCall(lambda: emitted.append(outcome(one.io.to("room").emit("n", len(emitted)))))
    traffic.start(0.005)
    await until(lambda: there.events)
    await redis.kill()
    await away(one, two)
    questions = LoopingCall(lambda: failed_at_once(one))
    asking = questions.start(0.1)
    await deferLater(reactor, OUTAGE)
    questions.stop()
    await asking
    await redis.start()
    begun = reactor.seconds()
    await back(one, two)
    assert len(await within(one.io.fetch_sockets())) == 2
    await within(one.io.emit("end"))
    traffic.stop()
    await until(lambda: there.named("end"))
    print(f"everything worked again {reactor.seconds() - begun:.2f} s after Redis was back")
    await within(one.io.emit("last"))
    await until(lambda: there.named("last"))
    assert here.named("n") == [[number] for number in range(len(emitted))]
    numbers = [number for (number,) in there.named("n")]
    assert numbers == sorted(set(numbers))
    assert {number for number, (result,) in enumerate(emitted) if result is None} <= set(numbers)
    assert sum(result is not None for (result,) in emitted) < len(emitted) / 10


def failed_at_once(node: Node) -> None:
    for ask in (node.io.fetch_sockets, lambda: node.io.call("ask"), lambda: node.io.server_side_call("ask")):
        (failure,) = outcome(ask())
        assert failure.check(BrokerUnavailable)


async def test_questions_fail_at_once_while_redis_is_away(start: Start) -> None:
    """Those that wait for answers fail when it goes; all of them work again when it is back."""
    redis, one, two = await start()
    two.io.on("ask", lambda: Deferred())
    await clients_of(one, two)
    waiting = outcome(one.io.server_side_call("ask"))
    await redis.kill()
    await away(one, two)
    (failure,) = waiting
    assert failure.check(BrokerUnavailable)
    failed_at_once(one)
    assert len(await within(one.io.local.fetch_sockets())) == 1
    await redis.start()
    await back(one, two)
    assert len(await within(one.io.fetch_sockets())) == 2


async def test_what_may_wait_is_bounded(start: Start) -> None:
    """In number and in bytes; beyond it emitting fails, and what waits already is not harmed."""
    redis, one, two = await start(max_outbox=3, max_outbox_bytes=10_000)
    here, there = await clients_of(one, two)
    await redis.kill()
    await away(one, two)
    accepted = [outcome(one.io.emit("n", number)) for number in range(2)]
    (failure,) = outcome(one.io.emit("large", "x" * 10_000))
    assert failure.check(BrokerUnavailable)
    accepted.append(outcome(one.io.emit("n", 2)))
    (failure,) = outcome(one.io.emit("one too many"))
    assert failure.check(BrokerUnavailable)
    assert [name for name, *_ in here.events] == ["n", "n", "large", "n", "one too many"]
    await redis.start()
    await until(lambda: all(accepted))
    await there.got(["n", 0], ["n", 1], ["n", 2])


async def test_frozen_redis_loses_nothing_that_it_has_not_failed(start: Start) -> None:
    """Each emit fires, and has arrived, or it fails; nothing is reordered, and nothing comes twice."""
    redis, one, two = await start()
    here, there = await clients_of(one, two)
    emitted: list[list[Json]] = []

    def emit() -> None:
        emitted.append(outcome(one.io.to("room").emit("n", len(emitted))))

    for _ in range(20):
        emit()
    redis.freeze()
    while one.io.broker.is_available:
        emit()
        await deferLater(reactor, 0.01)
    for _ in range(20):
        emit()
    assert len(here.named("n")) == len(emitted)
    redis.thaw()
    await back(one, two)
    await within(one.io.emit("end"))
    await until(lambda: there.named("end"))
    assert all(emitted)
    numbers = [number for (number,) in there.named("n")]
    assert numbers == sorted(set(numbers))
    assert {number for number, (result,) in enumerate(emitted) if result is None} <= set(numbers)
    assert len(await within(one.io.fetch_sockets())) == 2


async def test_rooms_that_come_and_go_meanwhile_are_right_afterwards(start: Start) -> None:
    """Subscriptions are restored as they are to be by then."""
    redis, one, two = await start()
    there = await two.client("before")
    await redis.kill()
    await away(one, two)
    there.socket.leave("before")
    there.socket.join("meanwhile")
    await redis.start()
    await back(one, two)
    one.io.to("before").emit("before")
    one.io.to("meanwhile").emit("meanwhile")
    await until(lambda: there.events)
    assert there.events == [["meanwhile"]]


async def test_server_is_closed_while_redis_is_away(start: Start) -> None:
    """Soon, and what waited fails; so does what is emitted then."""
    redis, one, two = await start()
    await redis.kill()
    await away(one, two)
    waiting = outcome(one.io.emit("never"))
    await within(one.io.close())
    for result in (waiting, outcome(one.io.emit("never"))):
        (failure,) = result
        assert failure.check(BrokerUnavailable)


async def test_closed_server_can_be_started_again(start: Start) -> None:
    """As long as its process lives."""
    _, one, two = await start()
    await within(one.io.close())
    await within(one.io.start())
    await until(lambda: one.io.broker.is_available)
    there = await two.client()
    await within(one.io.emit("again"))
    await there.got(["again"])
