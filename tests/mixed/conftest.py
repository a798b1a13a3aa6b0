"""What the tests of mixed clusters start: servers of Node.js, and clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.mixed.clients import Client
from tests.mixed.node import NodeServer

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
