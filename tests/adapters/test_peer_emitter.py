"""Emitting over Kafka and RabbitMQ, when these or the caller do not play along."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from tests.adapters.rabbitmq_nodes import until
from tests.brokers.kafka import KafkaServer
from tests.brokers.rabbitmq import RabbitMQServer
from tests.contract.cluster import Cluster
from tests.contract.kinds import KINDS
from tests.programs import Program
from txsocketio import BrokerUnavailable, Emitter, UnserializableData
from txsocketio.adapters.peer_emitter import PeerOutlet, ThreadedOutlet
from txsocketio.cluster.emitter import NamespaceEmitter
from txsocketio.errors import BrokerError

KIND = {kind.id: kind for kind in KINDS}


class Recorder:
    """A writer without a broker.

    Attributes:
        written: the bodies.
    """

    max_size = 1000

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, head: bytes, body: bytes, is_logged: bool) -> None:
        self.written.append(body)

    def close(self) -> None: ...


async def test_messages_leave_one_after_the_other_and_few_may_wait() -> None:
    """The thread takes them in their order; what is too large, or too much, is not taken at all."""
    writer = Recorder()
    emitter = NamespaceEmitter(ThreadedOutlet(PeerOutlet(writer, False), writer, 10, reactor), "/")
    with pytest.raises(UnserializableData, match="more than the broker takes"):
        emitter.emit("event", "x" * 1000)
    waiting = gatherResults([emitter.emit("n", n) for n in range(10)])
    with pytest.raises(BrokerUnavailable, match="max_outbox"):
        await emitter.emit("n", 10)
    await waiting
    assert [body[-1] for body in writer.written] == [*range(10)]
    outlet = emitter._outlet
    await outlet.close()
    with pytest.raises(BrokerUnavailable, match="closed"):
        await emitter.emit("n", 11)


@pytest.mark.parametrize("url", ["kafka://localhost:1/t?request_timeout=1", "amqp://localhost:1?connect_timeout=1"])
async def test_broker_that_is_not_there_is_told(url: str) -> None:
    """In time, and with its address."""
    for blocking in (False, True):
        emitter = Emitter(url, blocking=blocking)  # type: ignore[call-overload]
        with pytest.raises(BrokerUnavailable, match="localhost:1"):
            await (deferToThread(emitter.emit, "event") if blocking else emitter.emit("event"))
        await (deferToThread(emitter.close) if blocking else emitter.close())


@pytest.mark.timeout(90)
async def test_rabbitmq_that_is_frozen_or_restarted(own_rabbitmq: Callable[..., Awaitable[RabbitMQServer]]) -> None:
    """A call takes no longer than it may; the next one finds the broker again."""
    server = await own_rabbitmq()
    emitter = Emitter({"url": server.url, "request_timeout": 0.5, "connect_timeout": 1.0}, blocking=True)
    await deferToThread(emitter.emit, "event")
    server.freeze()
    with pytest.raises(BrokerUnavailable, match=r"no answer within 0\.5 s"):
        await deferToThread(emitter.emit, "event")
    server.thaw()
    await deferToThread(emitter.emit, "event")
    await server.stop()
    with pytest.raises(BrokerUnavailable):
        await deferToThread(emitter.emit, "event")
    await server.start()
    await deferToThread(emitter.emit, "event")
    emitter.close()


@pytest.mark.timeout(90)
async def test_kafka_that_is_frozen(own_kafka: Callable[..., Awaitable[KafkaServer]]) -> None:
    """The same."""
    server = await own_kafka()
    cluster = Cluster(KIND["kafka"], server)
    await cluster.start()
    emitter = Emitter({"url": cluster.adapter, "request_timeout": 1.0}, blocking=True)
    await deferToThread(emitter.emit, "event")
    server.freeze()
    with pytest.raises(BrokerUnavailable):
        await deferToThread(emitter.emit, "event")
    server.thaw()
    await deferToThread(emitter.emit, "event")
    emitter.close()
    await cluster.stop()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("blocking", [False, True])
async def test_kafka_that_is_killed(own_kafka: Callable[..., Awaitable[KafkaServer]], blocking: bool) -> None:
    """The emitter goes on when it is back; what was emitted meanwhile, and failed, does not come later."""
    server = await own_kafka()
    cluster = Cluster(KIND["kafka"], server)
    client = await (await cluster.start()).client()
    emitter = Emitter({"url": cluster.adapter, "request_timeout": 3.0}, blocking=blocking)  # type: ignore[call-overload]

    def emit(number: int) -> Deferred[None]:
        return deferToThread(emitter.emit, "n", number) if blocking else emitter.emit("n", number)

    try:
        await emit(0)
        await until(lambda: client.events == [["n", 0]])
        await server.kill()
        with pytest.raises(BrokerUnavailable):
            await emit(1)
        await server.start()
        for number in count(2):
            with suppress(BrokerUnavailable):
                await emit(number)
                break
        await until(lambda: ["n", number] in client.events)
    finally:
        await (deferToThread(emitter.close) if blocking else emitter.close())
        await cluster.stop()
    numbers = [event[1] for event in client.events]
    assert numbers == sorted(set(numbers) - {1})


async def test_log_that_no_server_has_begun(rabbitmq: RabbitMQServer) -> None:
    """Rather an error than events that nobody ever reads."""
    adapter = {"url": rabbitmq.url, "prefix": "nobody"}
    emitter = Emitter(adapter, blocking=True, connection_state_recovery=True)
    with pytest.raises(BrokerError, match=r"nobody\.events"):
        await deferToThread(emitter.emit, "event")
    emitter.close()


PROCESSES = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from txsocketio import Emitter
emitter = Emitter(sys.argv[1], blocking=True, connection_state_recovery=True)
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda n: emitter.emit("n", n), range(20)))
if not os.fork():
    emitter.emit("n", 20)
    os._exit(0)
emitter.emit("n", 21)
print("emitted", os.wait()[1], "reactor" if "twisted.internet.reactor" in sys.modules else "no reactor")
emitter.close()
"""


@pytest.fixture(params=["kafka-log", "rabbitmq-log"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A cluster without nodes, whose events are kept."""
    kind = KIND[request.param]
    assert kind.fixture is not None
    return Cluster(kind, request.getfixturevalue(kind.fixture))


@pytest.mark.timeout(60)
async def test_threads_and_forks_share_an_emitter(cluster: Cluster) -> None:
    """Each message is emitted once; no reactor is needed."""
    node = await cluster.start()
    client = await node.client()
    adapter = cluster.adapter
    url = adapter if isinstance(adapter, str) else f"{adapter['url']}?prefix={adapter['prefix']}"
    with Program(sys.executable, "-c", PROCESSES, url) as program:
        await deferToThread(program.wait_for, "^emitted 0 no reactor$")
        assert await deferToThread(program.wait) == 0
    await until(lambda: len(client.events) >= 22)
    assert sorted(client.events) == [["n", n] for n in range(22)]
    await cluster.stop()
