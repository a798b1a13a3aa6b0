"""The brokers as fixtures: one of each for the whole run, and as many as wanted for tests that harm them.

A RabbitMQ or Kafka takes seconds to start. One without settings of its own that a test has harmed, and that passed,
is mended and given to the next one; a test that fails leaves nothing behind, and begins anew when it is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator
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

#: Whether a test has failed so far.
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what has failed."""
    report = yield
    item.stash[FAILED] = report.failed or (report.when != "setup" and item.stash.get(FAILED, False))
    return report


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
def own_rabbitmq(
    request: pytest.FixtureRequest, spare_rabbitmqs: list[RabbitMQServer]
) -> Iterator[Callable[..., Coroutine[Any, Any, RabbitMQServer]]]:
    """Gives a RabbitMQ that this test alone uses, in 4 to 15 s if it is new; takes what RabbitMQServer takes."""
    with lent(RabbitMQServer, spare_rabbitmqs, request.node) as start:
        yield start


@pytest.fixture
def own_kafka(
    request: pytest.FixtureRequest, spare_kafkas: list[KafkaServer]
) -> Iterator[Callable[..., Coroutine[Any, Any, KafkaServer]]]:
    """Gives a Kafka that this test alone uses; takes what KafkaServer takes."""
    with lent(KafkaServer, spare_kafkas, request.node) as start:
        yield start


@pytest.fixture(scope="session")
def spare_rabbitmqs() -> Iterator[list[RabbitMQServer]]:
    """Those that nobody uses now."""
    servers: list[RabbitMQServer] = []
    with removing(servers):
        yield servers


@pytest.fixture(scope="session")
def spare_kafkas() -> Iterator[list[KafkaServer]]:
    """Those that nobody uses now."""
    servers: list[KafkaServer] = []
    with removing(servers):
        yield servers


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
    with removing(servers):
        yield start


@contextmanager
def lent(
    kind: type[Server], spares: list[Server], test: pytest.Item
) -> Iterator[Callable[..., Coroutine[Any, Any, Server]]]:
    """The same, with spare ones for who wants no settings; these are spare again when the test has passed."""
    taken: list[Server] = []

    with owned(kind) as start_new, removing(taken):

        async def start(*arguments: Any, **options: Any) -> Server:
            if arguments or options:
                return await start_new(*arguments, **options)
            taken.append(spares.pop() if spares else kind())
            await taken[-1].mend()
            return taken[-1]

        yield start
        if not test.stash[FAILED]:
            for server in taken:
                server.thaw()
            spares.extend(taken)
            taken.clear()


@contextmanager
def removing(servers: list[Server]) -> Iterator[None]:
    """Removes the brokers that are in the list in the end."""
    try:
        yield
    finally:
        for server in servers:
            blockon(Deferred.fromCoroutine(server.remove()))
