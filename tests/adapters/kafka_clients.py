"""What the tests of the Kafka adapter share: clients, what they read, and Kafka from outside."""

from __future__ import annotations

import gc
import re
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from functools import cache

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.record import MemoryRecordsBuilder
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.brokers.kafka import KafkaServer
from txsocketio.adapters.kafka.client import KafkaClient
from txsocketio.adapters.kafka.options import KafkaAddress, KafkaOptions

Start = Callable[..., Awaitable[KafkaServer]]
Make = Callable[..., KafkaClient]

#: So short that tests see the end of them.
SHORT = {"request_timeout": 1.0, "liveness_timeout": 1.5}

#: Records in one request of `fill`.
MAX_BATCH = 20_000


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A name for the topic of a test; there is none yet."""
    return re.sub(r"\W", "-", request.node.name)


@pytest.fixture
def make_kafka() -> Iterator[Make]:
    """Makes clients, which are stopped after the test and must leave no thread then."""
    clients: list[KafkaClient] = []

    def make(url: str, node: str = "", **options: object) -> KafkaClient:
        name = node or f"node{len(clients)}"
        clients.append(KafkaClient(reactor, KafkaAddress.of(url), KafkaOptions.of(options), name))
        return clients[-1]

    yield make
    blockon(gatherResults([client.stop() for client in clients]))
    gc.collect()
    assert not blockon(Deferred.fromCoroutine(left_threads()))


async def left_threads() -> list[str]:
    """Names of the threads that did not end. One that has said what it had to say needs a moment to do so."""
    for _ in range(100):
        left = [thread.name for thread in threading.enumerate() if "kafka" in thread.name]
        if not left:
            break
        await deferLater(reactor, 0.01)
    return left


# From outside


def administer(kafka: KafkaServer, work: Callable[[KafkaAdminClient], object]) -> None:
    """Do something that the client cannot do; blocks."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka.address)) as admin:
        work(admin)


def delete_records(kafka: KafkaServer, topic: str, before: int) -> None:
    """As retention does; blocks."""
    administer(kafka, lambda admin: admin.delete_records({TopicPartition(topic, 0): before}))


def delete_and_create(kafka: KafkaServer, topic: str) -> None:
    """The topic, under the same name; blocks."""
    administer(kafka, lambda admin: admin.delete_topics([topic]))
    administer(kafka, lambda admin: admin.create_topics({topic: {"num_partitions": 1}}))


def fill(kafka: KafkaServer, topic: str, count: int) -> None:
    """Write many records as a stranger, some thousands at a time, each the same; blocks.

    A producer takes half a minute for a million. This speaks the protocol itself: Produce, version 3.
    """
    name = len(topic).to_bytes(2, "big") + topic.encode()
    with socket.create_connection((kafka.address.partition(":")[0], kafka.port), 10) as connection:
        answers = connection.makefile("rb")
        while count:
            batch = _batch(min(count, MAX_BATCH))
            parts = struct.pack(">hhihhhii", 0, 3, 1, -1, -1, 1, 10_000, 1), name, struct.pack(">iii", 1, 0, len(batch))
            request = b"".join((*parts, batch))
            connection.sendall(len(request).to_bytes(4, "big") + request)
            answer = answers.read(int.from_bytes(answers.read(4), "big"))
            # Behind the correlation id: one topic, its name, one partition, its number.
            error = int.from_bytes(answer[4 + 4 + len(name) + 4 + 4 :][:2], "big", signed=True)
            assert not error, f"Kafka answers with error {error}"
            count -= min(count, MAX_BATCH)


@cache
def _batch(count: int) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1_000_000)
    for _ in range(count):
        assert builder.append(timestamp=0, key=None, value=b"old", headers=[])
    builder.close()
    return bytes(builder.buffer())
