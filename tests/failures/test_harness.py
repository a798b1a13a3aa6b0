"""What the failure tests are made of, against one server: its clients come back to it, and lose much if they cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.contract.kinds import RECOVERY
from tests.failures.cluster import Cluster, Trial
from tests.failures.test_cuts import cut_all


@pytest.fixture(scope="module")
def recovers() -> bool:
    """Whether clients can come back."""
    return False


@pytest.fixture(scope="module")
def lasting_cluster(recovers: bool) -> Iterator[Cluster]:
    """A server without a broker."""
    cluster = Cluster(None, lambda: None, RECOVERY if recovers else {})
    yield cluster
    blockon(Deferred.fromCoroutine(cluster.end()))


@pytest.fixture
def cluster(lasting_cluster: Cluster) -> Cluster:
    if not lasting_cluster.nodes:
        blockon(Deferred.fromCoroutine(lasting_cluster.start(1)))
    return lasting_cluster


@pytest.mark.parametrize("recovers", [True], ids=["recovery"], scope="module")
@pytest.mark.parametrize("silently", [False, True], ids=["reset", "silent"])
async def test_who_comes_back_has_everything(trial: Trial, transport: str, silently: bool) -> None:
    await trial.open(4, transport)
    await trial.begin()
    await cut_all(trial, 3, silently)
    await trial.finish()


@pytest.mark.parametrize("recovers", [False], ids=["none"], scope="module")
async def test_who_cannot_come_back_is_found(trial: Trial) -> None:
    await trial.open(2, "websocket")
    await trial.begin()
    await cut_all(trial, 1, silently=False)
    for name in trial.proxies:
        await trial.clients.do("connected", name=name, times=2)
    with pytest.raises(AssertionError, match="missing"):
        await trial.finish()
