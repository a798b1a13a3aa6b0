"""The broker is halted, or killed and started again, while clients are cut and come back."""

from __future__ import annotations

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.contract.kinds import Kind
from tests.failures.cluster import Trial
from tests.failures.test_cuts import cut_all

#: Of each transport.
CLIENTS = 2

#: How often each client is cut, and seconds that the broker is halted, or away.
CUTS = {"redis": 17}
OTHER_CUTS = 5
HALTED = 2.0
AWAY = 1.0


@pytest.mark.timeout(120)
async def test_broker_is_halted(trial: Trial, kind: Kind) -> None:
    await trial.open(CLIENTS)
    await trial.begin()
    cut = Deferred.fromCoroutine(cut_all(trial, CUTS.get(kind.fixture, OTHER_CUTS)))
    await deferLater(reactor, trial.chance.uniform(0, 0.3))
    trial.tell("the broker is halted")
    trial.cluster.broker.freeze()
    await deferLater(reactor, HALTED)
    trial.cluster.broker.thaw()
    trial.tell("the broker goes on")
    await cut
    await trial.finish()


@pytest.mark.timeout(120)
async def test_broker_is_killed(trial: Trial, kind: Kind) -> None:
    await trial.open(CLIENTS)
    await trial.begin()
    cut = Deferred.fromCoroutine(cut_all(trial, CUTS.get(kind.fixture, OTHER_CUTS)))
    await deferLater(reactor, trial.chance.uniform(0, 0.3))
    trial.tell("the broker is killed")
    await trial.cluster.broker.kill()
    await deferLater(reactor, AWAY)
    await trial.cluster.broker.start()
    trial.tell("the broker is back")
    await cut
    await trial.finish()
