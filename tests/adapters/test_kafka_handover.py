"""What goes from a thread to the reactor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger

from txsocketio.adapters.kafka import handover as kafka_handover
from txsocketio.adapters.kafka.handover import MAX_IN_FLIGHT, SLICE, Handover


class Reactor(Clock):
    """Whose threads are this one."""

    def callFromThread(self, act: Callable[..., object], *arguments: object) -> None:
        self.callLater(0, act, *arguments)


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


def test_lots_are_done_in_order_with_pauses(reactor: Reactor) -> None:
    """Others have their turn when a lot takes long, and nothing overtakes it meanwhile."""
    done: list[int] = []
    handover = Handover(reactor)

    def slow(number: int) -> None:
        done.append(number)
        reactor.rightNow += SLICE / 2

    for lot in ((1, 2, 3), (4,)):
        assert handover.put([partial(slow, number) for number in lot], 0)
    reactor.callLater(0, done.append, 0)
    reactor.advance(0)
    assert done == [1, 2, 0, 3, 4]


def test_thread_has_to_wait_for_the_reactor(reactor: Reactor) -> None:
    handover = Handover(reactor)
    for _ in range(MAX_IN_FLIGHT):
        assert handover.put([], 0)
    assert not handover.put([], 0)
    reactor.advance(0)
    assert handover.put([], 0)


def test_fault_costs_nothing_behind_it(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    done: list[int] = []
    log = Logger()
    monkeypatch.setattr(log, "failure", lambda text: told.append(text))
    monkeypatch.setattr(kafka_handover, "log", log)
    Handover(reactor).put([lambda: 1 / 0, lambda: done.append(1)], 0)
    reactor.advance(0)
    assert (len(told), done) == (1, [1])
