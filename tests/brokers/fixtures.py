"""The brokers as fixtures: one of each for the whole run, and as many as wanted for tests that harm them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.brokers.kafka import KafkaServer
from tests.brokers.rabbitmq import RabbitMQServer
from tests.brokers.redis import RedisSentinel, RedisServer
from tests.brokers.server import BrokerServer
from tests.conftest import require

Server = TypeVar("Server", bound=BrokerServer)


# Shared by all tests: each keeps to names of its own (a key prefix, an exchange, a topic) and does no harm.


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A Redis for everybody."""
    with running(RedisServer) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQServer]:
    """A RabbitMQ for everybody."""
    with running(RabbitMQServer) as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """A Kafka for everybody."""
    with running(KafkaServer) as server:
        yield server


# For tests that kill, freeze or configure theirs: `broker = await own_redis("requirepass secret")`.


@pytest.fixture
def own_redis() -> Iterator[Callable[..., Coroutine[Any, Any, RedisServer]]]:
    """Starts a Redis for this test alone; takes what RedisServer takes."""
    with owned(RedisServer) as start:
        yield start


@pytest.fixture
def own_sentinel() -> Iterator[Callable[[], Coroutine[Any, Any, RedisSentinel]]]:
    """Starts a Redis with a replica and a Sentinel for this test alone."""
    with owned(RedisSentinel) as start:
        yield start


@pytest.fixture
def own_rabbitmq() -> Iterator[Callable[..., Coroutine[Any, Any, RabbitMQServer]]]:
    """Starts a RabbitMQ for this test alone, which takes 4 to 15 s; takes what RabbitMQServer takes."""
    with owned(RabbitMQServer) as start:
        yield start


@pytest.fixture
def own_kafka() -> Iterator[Callable[..., Coroutine[Any, Any, KafkaServer]]]:
    """Starts a Kafka for this test alone; takes what KafkaServer takes."""
    with owned(KafkaServer) as start:
        yield start


@contextmanager
def running(kind: type[Server], *arguments: Any, **options: Any) -> Iterator[Server]:
    """A broker that serves clients in the `with` block; for fixtures of any scope. Skips where it cannot run."""
    with owned(kind) as start:
        yield blockon(Deferred.fromCoroutine(start(*arguments, **options)))


@contextmanager
def owned(kind: type[Server]) -> Iterator[Callable[..., Coroutine[Any, Any, Server]]]:
    """What starts brokers, which are removed with the `with` block."""
    servers: list[Server] = []

    async def start(*arguments: Any, **options: Any) -> Server:
        server = kind(*arguments, **options)
        servers.append(server)
        await server.start()
        return server

    for part in kind.NEEDS:
        require(part)
    try:
        yield start
    finally:
        for server in servers:
            blockon(Deferred.fromCoroutine(server.remove()))
