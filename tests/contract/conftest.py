"""Each test of the contract runs with every kind of adapter, and three nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted

from tests.contract.cluster import Cluster, Node
from tests.contract.kinds import KINDS, Kind


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        kinds = [kind for kind in KINDS if is_for(kind, metafunc.module.__name__)]
        metafunc.parametrize("kind", kinds, ids=lambda kind: kind.id, scope="module")


@pytest.fixture
def broker(kind: Kind, request: pytest.FixtureRequest) -> object:
    """The broker that the kind of adapter needs; None if it needs none."""
    return None if kind.fixture is None else request.getfixturevalue(kind.fixture)


def is_for(kind: Kind, module: str) -> bool:
    """Whether the adapter can do what the tests of a module are about."""
    return (kind.recovers or "recovery" not in module) and (kind.has_emitter or "emitter" not in module)


@pytest_twisted.async_yield_fixture
async def cluster(kind: Kind, broker: object) -> AsyncIterator[Cluster]:
    """A cluster without nodes."""
    cluster = Cluster(kind, broker)
    yield cluster
    await cluster.stop()


@pytest_twisted.async_yield_fixture
async def nodes(cluster: Cluster) -> AsyncIterator[tuple[Node, Node, Node]]:
    """Three nodes of one cluster."""
    yield await cluster.start(), await cluster.start(), await cluster.start()
