"""How far a log has been read."""

from __future__ import annotations

import pytest
from twisted.internet.defer import TimeoutError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from txsocketio import BrokerUnavailable
from txsocketio.cluster.progress import Progress


def test_who_waits_is_told_in_the_order_of_waiting() -> None:
    progress = Progress(Clock(), 5)
    told: list[int] = []
    for position in (8, 5, 7, 9):
        progress.reached(position, 1.0).addCallback(lambda _, position=position: told.append(position))
    assert told == [5]
    progress.move(6)
    assert told == [5]
    progress.move(8)
    assert told == [5, 8, 7]
    progress.move(9)
    assert told == [5, 8, 7, 9]


def test_nobody_waits_for_ever() -> None:
    """Nor is who has waited kept where nothing ever comes."""
    clock = Clock()
    progress = Progress(clock)
    for _ in range(3):
        waiting = progress.reached(1, 2.0)
        clock.advance(2.0)
        with pytest.raises(TimeoutError):
            waiting.result.raiseException()
        waiting.addErrback(lambda _: None)
    assert not progress._waiting
    progress.move(1)


def test_who_is_told_may_send_another_away() -> None:
    progress = Progress(Clock())
    first, second = progress.reached(1, 1.0), progress.reached(1, 1.0)
    first.addCallback(lambda _: second.cancel())
    outcome: list[Failure | None] = []
    second.addBoth(outcome.append)
    progress.move(1)
    assert len(outcome) == 1
    assert isinstance(outcome[0], Failure)


def test_nobody_reads_any_more() -> None:
    progress = Progress(Clock())
    waiting = progress.reached(1, 1.0)
    progress.stop(BrokerUnavailable("closed"))
    with pytest.raises(BrokerUnavailable):
        waiting.result.raiseException()
    waiting.addErrback(lambda _: None)
