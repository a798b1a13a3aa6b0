"""Clients that come back in unusual ways: late, too late, with nothing or with nonsense, or when nobody told them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.brokers.server import BrokerServer
from tests.contract.kinds import Kind
from tests.failures.cluster import Cluster, Trial, until
from tests.failures.conftest import adapter_of

#: What a client may show: that nobody has given it, that cannot be, or that means much.
NONSENSE: list[dict[str, Any]] = [
    {"pid": "x" * 20},
    {"pid": ""},
    {"pid": "*"},
    {"pid": "x" * 100_000},
    {"pid": None, "offset": "1"},
    {"pid": ["pid"]},
    {"offset": ""},
    {"offset": "0"},
    {"offset": "0-0"},
    {"offset": "9" * 15 + "-0"},
    {"offset": "9" * 30},
    {"offset": "-1"},
    {"offset": "+"},
    {"offset": "x" * 100_000},
    {"offset": 5},
]


async def shut_out(trial: Trial, name: str) -> None:
    """Cut the client, and let it in only when its proxy is opened again."""
    proxy = trial.proxies[name]
    proxy.is_closed = True
    proxy.cut(silently=False)
    trial.send_anywhere(name)


@pytest.mark.timeout(120)
async def test_more_was_missed_than_any_node_remembers(trial: Trial) -> None:
    """It is read from the broker again."""
    for name in await trial.open(1):
        await shut_out(trial, name)
    await trial.flood(600)
    await trial.end()
    for proxy in trial.proxies.values():
        proxy.is_closed = False
    await trial.finish()


@pytest.mark.timeout(120)
async def test_client_is_cut_before_its_first_event(trial: Trial) -> None:
    """It has no offset, and goes on from where it connected."""
    for name in await trial.open(2):
        await shut_out(trial, name)
    await trial.flood(5)
    await trial.end()
    for proxy in trial.proxies.values():
        proxy.is_closed = False
    await trial.finish()


@pytest.mark.timeout(120)
async def test_nobody_is_told(trial: Trial) -> None:
    """Connections that carry nothing any more: client and server find out by their heartbeats, or by the return."""
    await trial.open(2)
    await trial.begin()
    for times in (2, 3):
        for name, proxy in trial.proxies.items():
            proxy.stall()
            trial.send_elsewhere(name)
            trial.tell(f"{name} is left in the dark")
        for name in trial.proxies:
            await trial.connected(name, times)
    await trial.finish()


@pytest.mark.timeout(120)
async def test_nonsense_does_no_harm(trial: Trial) -> None:
    """Who shows it gets what is emitted from then on at least, and the others get everything."""
    await trial.open(1)
    liars = await trial.open(len(NONSENSE), "websocket")
    trial.strangers.update(liars)
    await trial.begin()
    for name, shown in zip(liars, NONSENSE, strict=True):
        await shut_out(trial, name)
        await trial.clients.do("pretend", name=name, **shown)
        trial.proxies[name].is_closed = False
    for name in liars:
        await trial.connected(name, 2)
    await trial.finish()


@pytest.fixture
def brief_cluster(kind: Kind, broker: BrokerServer) -> Iterator[Cluster]:
    """Nodes that keep sessions for a second."""
    brief = {"connection_state_recovery": {"max_disconnection_duration": 1.0}}
    cluster = Cluster(broker, partial(adapter_of, kind, broker), brief)
    blockon(Deferred.fromCoroutine(cluster.start(2)))
    blockon(Deferred.fromCoroutine(cluster.ready()))
    yield cluster
    blockon(Deferred.fromCoroutine(cluster.end()))


@pytest.mark.timeout(120)
async def test_session_expires(brief_cluster: Cluster, clients: Any, chance: Any) -> None:
    """Then the client is a new one, on any node, and hears what is emitted from then on."""
    trial = Trial(brief_cluster, clients, chance)
    (late,) = trial.strangers = set(await trial.open(1, "websocket"))
    await trial.open(1)
    await trial.flood(5)
    await trial.end()
    await shut_out(trial, late)
    await until(lambda: has_expired(brief_cluster))
    trial.proxies[late].is_closed = False
    await trial.connected(late, 2)
    logs = await trial.finish()
    (_, before, _), (_, after, recovered) = (entry for entry in logs[late] if entry[0] == "connect")
    assert (after != before, recovered) == (True, False)
    await trial.close()


async def has_expired(cluster: Cluster) -> bool:
    return any([await node.do("expired") for node in cluster.nodes])
