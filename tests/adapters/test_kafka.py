"""Servers joined by Kafka, where it shows that it is Kafka: outages, topics that are deleted, sizes, strangers."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing

import pytest
import pytest_twisted
from kafka import KafkaProducer
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread

from tests.adapters.kafka_clients import SHORT, Start, delete_and_create
from tests.brokers.kafka import KafkaServer
from tests.conftest import LoggedErrors
from tests.contract.cluster import Client, Node, until, until_all_know
from txsocketio import BrokerUnavailable, UnserializableData
from txsocketio.types import Json

pytestmark = pytest.mark.timeout(120)

Nodes = Callable[..., Awaitable[list[Node]]]

RECOVERY = {"connection_state_recovery": {"max_disconnection_duration": 60.0}}

#: Seconds until a broker that was killed serves again.
PATIENCE = 60.0


@pytest_twisted.async_yield_fixture
async def start_nodes() -> AsyncIterator[Nodes]:
    """Starts servers that are joined by a topic."""
    nodes: list[Node] = []

    async def start(kafka: KafkaServer, topic: str, count: int, options: Json = RECOVERY, **more: Json) -> list[Node]:
        new = [Node({"url": f"{kafka.url}/{topic}", **more}, options) for _ in range(count)]
        nodes.extend(new)
        await gatherResults([node.io.start() for node in new])
        await until_all_know(nodes)
        return new

    yield start
    for node in nodes:
        await node.stop()


def numbers(client: Client) -> list[int]:
    return [number for (number,) in client.named("n")]


async def soon(fact: Callable[[], Json]) -> None:
    """Wait until it is so, longer than `until` does."""
    latest = reactor.seconds() + PATIENCE
    while not fact():
        assert reactor.seconds() < latest
        await deferLater(reactor, 0.01)


async def test_collector_passes_over_what_the_library_has_left(
    kafka: KafkaServer, topic: str, start_nodes: Nodes
) -> None:
    """Each full collection would hold up the reactor for as long as it takes to look through that."""
    await start_nodes(kafka, topic, 1)
    assert gc.get_freeze_count() > 0


@pytest.mark.parametrize("harm", ["kill", "freeze"])
@pytest.mark.parametrize("options", [RECOVERY, {}], ids=["log", "plain"])
async def test_outage_loses_and_reorders_nothing(
    own_kafka: Start, topic: str, start_nodes: Nodes, harm: str, options: Json
) -> None:
    """Two servers emit all the time; requests fail at once while the broker is away."""
    kafka = await own_kafka()
    nodes = await start_nodes(kafka, topic, 3, options, **SHORT, heartbeat_timeout=60.0)
    client = await nodes[2].client("room")
    emitted = dict.fromkeys(nodes[:2], 0)

    def emit() -> None:
        for which, node in enumerate(emitted):
            node.io.to("room").emit("n", which * 1_000_000 + emitted[node])
            emitted[node] += 1

    traffic = LoopingCall(emit)
    traffic.start(0.02)
    await until(lambda: len(numbers(client)) > 20)
    if harm == "kill":
        await kafka.kill()
    else:
        kafka.freeze()
    await soon(lambda: not any(node.io.broker.is_available for node in nodes))  # type: ignore[union-attr]
    refused = nodes[0].io.fetch_sockets()
    assert refused.called
    with pytest.raises(BrokerUnavailable):
        await refused
    if harm == "kill":
        await kafka.start()
    else:
        kafka.thaw()
    await soon(lambda: all(node.io.broker.is_available for node in nodes))  # type: ignore[union-attr]
    traffic.stop()
    await soon(lambda: len(numbers(client)) >= sum(emitted.values()))
    for which, count in enumerate(emitted.values()):
        of_one = [number - which * 1_000_000 for number in numbers(client) if number // 1_000_000 == which]
        assert of_one == [*range(count)]
    assert len(await nodes[0].io.fetch_sockets()) == 1


async def test_server_waits_for_the_broker(own_kafka: Start, topic: str, start_nodes: Nodes) -> None:
    """It may be started before the broker is."""
    kafka = await own_kafka()
    await kafka.kill()
    starting = start_nodes(kafka, topic, 1, start_timeout=1.0)
    first = kafka.start()
    await first
    (node,) = await starting
    client = await node.client()
    await node.io.emit("n", 1)
    await until(lambda: numbers(client) == [1])


async def test_clients_come_back_anew_when_the_log_was_deleted(
    kafka: KafkaServer, topic: str, start_nodes: Nodes
) -> None:
    """Events may be lost, so nobody goes on as if nothing had been; offsets of the old log mean nothing."""
    nodes = await start_nodes(kafka, topic, 2)
    client = await nodes[0].client()
    await nodes[1].io.emit("n", 1)
    await until(lambda: numbers(client) == [1])
    await deferToThread(delete_and_create, kafka, topic)
    await until(lambda: client.ended)
    again = await client.back(nodes[1])
    assert again.id != client.id
    await nodes[0].io.emit("n", 2)
    await until(lambda: numbers(again) == [1, 2], lambda: again.events)
    assert again.offset is not None
    assert client.offset is not None
    assert again.offset.partition("-")[0] != client.offset.partition("-")[0]


async def test_sessions_are_stored_again_when_their_topic_was_deleted(
    kafka: KafkaServer, topic: str, start_nodes: Nodes
) -> None:
    """Nobody is thrown out, and who comes back later is recovered."""
    options = {"connection_state_recovery": {"max_disconnection_duration": 3.0}}
    nodes = await start_nodes(kafka, topic, 2, options)
    client = await nodes[0].client()
    brokers: list[Json] = [node.io.broker for node in nodes]
    await deferToThread(delete_and_create, kafka, f"{topic}-sessions")
    await soon(lambda: all(broker.outages for broker in brokers))
    await soon(lambda: all(len(broker.sessions) for broker in brokers))
    assert not client.ended
    assert (await client.back(nodes[1])).id == client.id


@pytest.mark.parametrize("options", [RECOVERY, {}], ids=["log", "plain"])
async def test_event_that_is_too_large_is_refused_at_the_call(
    kafka: KafkaServer, topic: str, start_nodes: Nodes, options: Json
) -> None:
    """It would never get through; what comes behind it does."""
    nodes = await start_nodes(kafka, topic, 2, options, max_request_size=10_000)
    client = await nodes[1].client()
    with pytest.raises(UnserializableData, match="max_request_size"):
        nodes[0].io.emit("n", "x" * 10_000)
    await nodes[0].io.emit("n", 1)
    await until(lambda: numbers(client) == [1])


async def test_records_of_strangers_are_dropped(
    kafka: KafkaServer, topic: str, start_nodes: Nodes, logged_errors: LoggedErrors
) -> None:
    """Somebody writes to the topics by hand: it is counted, and everything goes on."""
    (node,) = await start_nodes(kafka, topic, 1)
    client = await node.client()
    topics = [topic, f"{topic}-messages", f"{topic}-sessions"]
    await deferToThread(write, kafka, topics)
    broker: Json = node.io.broker
    await until(lambda: broker.dropped == 2)
    await node.io.emit("n", 1)
    await until(lambda: numbers(client) == [1])


def write(kafka: KafkaServer, topics: list[str]) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        for topic in topics:
            producer.send(
                topic, b"hello", b"key" if "sessions" in topic else None, headers=[("x", b"y")], partition=0
            ).get(10)
