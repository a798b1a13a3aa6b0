"""The failure tests run with every kind of adapter whose clients can come back, and a broker that they own."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from functools import partial
from secrets import token_hex

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.brokers.fixtures import FAILED, running
from tests.brokers.kafka import KafkaServer
from tests.brokers.rabbitmq import RabbitMQServer
from tests.brokers.redis import RedisServer
from tests.brokers.server import BrokerServer
from tests.contract.kinds import KINDS, Kind
from tests.failures.cluster import TRANSPORTS, Clients, Cluster, Trial

BROKERS: dict[str, type[BrokerServer]] = {"redis": RedisServer, "kafka": KafkaServer, "rabbitmq": RabbitMQServer}

NODES = 3

#: What has been missed for longer than a moment has to be read from the broker again.
FORGETFUL = {"connection_state_recovery": {"max_disconnection_duration": 60.0, "max_packets": 100}}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        kinds = [kind for kind in KINDS if kind.recovers and kind.fixture]
        metafunc.parametrize("kind", kinds, ids=lambda kind: kind.id, scope="package")


def adapter_of(kind: Kind, broker: BrokerServer, **options: object) -> dict[str, object]:
    """The option `adapter` for a cluster of its own."""
    adapter = kind.adapter(broker, "t" + token_hex(6))
    return {**({"url": adapter} if isinstance(adapter, str) else adapter), **options}


@pytest.fixture(scope="package")
def clients() -> Iterator[Clients]:
    """The process with all clients."""
    clients = Clients()
    blockon(Deferred.fromCoroutine(clients.started()))
    yield clients
    blockon(Deferred.fromCoroutine(clients.stop()))
    assert not clients.complaints, clients.complaints


@pytest.fixture(scope="package")
def broker(kind: Kind) -> Iterator[BrokerServer]:
    with running(BROKERS[kind.fixture or ""]) as broker:
        yield broker


@pytest.fixture(scope="package")
def lasting_cluster(kind: Kind, broker: BrokerServer) -> Iterator[Cluster]:
    cluster = Cluster(broker, partial(adapter_of, kind, broker), FORGETFUL)
    yield cluster
    blockon(Deferred.fromCoroutine(cluster.end()))


@pytest.fixture
def cluster(lasting_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Nodes that all work; a test may do what it likes to them and to their broker. One that fails leaves nothing."""
    cluster = lasting_cluster

    async def prepare() -> None:
        await cluster.start(NODES - len(cluster.nodes))
        await cluster.ready()
        if cluster.broker is not None:
            await cluster.broker.settled()

    blockon(Deferred.fromCoroutine(prepare()))
    yield cluster
    if request.node.stash[FAILED]:
        blockon(Deferred.fromCoroutine(cluster.begin_anew()))


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What decides when to cut. A failure tells the seed, which can be given as FAILURES_SEED."""
    seed = os.environ.get("FAILURES_SEED") or str(random.randrange(10**6))
    print(f"FAILURES_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def trial(cluster: Cluster, clients: Clients, chance: random.Random) -> Iterator[Trial]:
    trial = Trial(cluster, clients, chance)
    yield trial
    blockon(Deferred.fromCoroutine(trial.close()))


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """The transport of all clients of a test."""
    return request.param
