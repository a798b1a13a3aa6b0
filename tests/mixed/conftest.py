"""What the tests of mixed clusters start: servers of Node.js, and clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.brokers.redis import RedisServer
from tests.mixed.clients import Client
from tests.mixed.cluster import Cluster, Crowd, together
from tests.mixed.node import NodeServer
from tests.mixed.ours import OurServer

#: What the channels and the streams of mixed clusters are named after.
PREFIX = "mixed"

StartNode = Callable[..., Coroutine[Any, Any, NodeServer]]
Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
def start_node() -> Iterator[StartNode]:
    """Starts servers of Node.js, with the arguments of `NodeServer.start`; none outlives the test."""
    with node_servers() as start:
        yield start


@contextmanager
def node_servers() -> Iterator[StartNode]:
    """What starts servers of Node.js, which end with the `with` block; for fixtures of any scope."""
    started: list[NodeServer] = []

    async def start(*arguments: object, **options: object) -> NodeServer:
        started.append(await NodeServer.start(*arguments, **options))
        return started[-1]

    try:
        yield start
    finally:
        for node in started:
            blockon(Deferred.fromCoroutine(node.stop()))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects clients, with the arguments of `Client.connect`; none outlives the test."""
    clients: list[Client] = []

    async def connect(*arguments: object, **options: object) -> Client:
        clients.append(await Client.connect(*arguments, **options))
        return clients[-1]

    yield connect
    for client in clients:
        client.leave()


@dataclass
class Kind:
    """A kind of cluster: what the Node server is given, and what ours is.

    Attributes:
        node: the npm adapter.
        scheme: of our URL.
        npm_options: of the npm adapter.
        our_options: of our adapter.
        recovers: whether clients are recovered.
    """

    node: str
    scheme: str
    npm_options: dict[str, object]
    our_options: dict[str, object]
    recovers: bool = False

    def adapter(self, redis: RedisServer) -> dict[str, object]:
        """The option `adapter` of our server."""
        return {"url": redis.url.replace("redis", self.scheme), **self.our_options}


def classic(npm_publishes_on_specific: bool) -> Kind:
    return Kind(
        "classic",
        "redis",
        {"publishOnSpecificResponseChannel": npm_publishes_on_specific},
        {"key": PREFIX, "publish_on_specific_response_channel": not npm_publishes_on_specific},
    )


def sharded(mode: str) -> Kind:
    return Kind("sharded", "redis+sharded", {"subscriptionMode": mode}, {"key": PREFIX, "subscription_mode": mode})


def streams(*, sharded: bool = False, recovers: bool = False) -> Kind:
    names = {"stream_name": PREFIX, "channel_prefix": PREFIX}
    ours = {**names, "use_sharded_pub_sub": sharded, "session_check_interval": 0.1}
    return Kind("streams", "redis+streams", {"useShardedPubSub": sharded}, ours, recovers)


#: For all tests.
KINDS = {
    "classic": classic(False),
    "sharded static": sharded("static"),
    "sharded dynamic": sharded("dynamic"),
    "sharded dynamic-private": sharded("dynamic-private"),
    "streams": streams(),
    "streams with recovery": streams(recovers=True),
}

#: These differ from others in how servers are answered.
ANSWERS_ELSEWHERE = {"classic, the other way": classic(True), "streams, sharded": streams(sharded=True)}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Of the cluster."""
    return (KINDS | ANSWERS_ELSEWHERE)[request.param]


@pytest.fixture(scope="module")
def node(kind: Kind, redis: RedisServer) -> Iterator[NodeServer]:
    """The Node server of a mixed cluster."""
    options = {"namespaces": ["/", "/chat"], "adapter": kind.npm_options}
    if kind.recovers:
        options["connectionStateRecovery"] = {}
    with node_servers() as start:
        yield blockon(Deferred.fromCoroutine(start(kind.node, redis.url, prefix=PREFIX, **options)))


@pytest.fixture
def cluster(kind: Kind, redis: RedisServer, node: NodeServer) -> Iterator[Cluster]:
    """A mixed cluster of each kind. Our servers are new for each test, which must leave nothing in the reactor."""
    options = {"connection_state_recovery": {}} if kind.recovers else {}
    ours = [OurServer(kind.adapter(redis), **options) for _ in range(2)]
    blockon(together(server.start() for server in ours))
    yield Cluster(node, *ours)
    blockon(together(server.stop() for server in ours))


@pytest.fixture
def crowd(cluster: Cluster) -> Iterator[Crowd]:
    """Clients of all servers of the cluster."""
    crowd = blockon(Deferred.fromCoroutine(cluster.connect()))
    yield crowd
    blockon(Deferred.fromCoroutine(cluster.see_off(crowd.values())))
