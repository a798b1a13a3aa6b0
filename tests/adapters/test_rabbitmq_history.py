"""Old records, as they are read again, and what becomes of an answer of RabbitMQ that fails."""

from __future__ import annotations

import pytest
from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker, StreamLostError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from txsocketio.adapters.rabbitmq.history import Known, Page, RecordsGone, Unsure, bounded
from txsocketio.adapters.rabbitmq.wire import BEHIND
from txsocketio.errors import BrokerUnavailable


def record(number: int, **headers: int) -> BasicProperties:
    return BasicProperties(app_id="node", message_id=str(number), headers=headers)


def test_what_was_missed_is_told() -> None:
    """One offset may be the broker's own."""
    page = Page(5, 4, 8, 10, Known(0, ()))
    assert not page.take(6, record(1), b"")
    with pytest.raises(RecordsGone):
        page.take(9, record(2), b"")


@pytest.mark.parametrize("known", [Known(3, [7]), Known(9, [])], ids=["read", "looked for"])
def test_a_repeat_is_left_out(known: Known) -> None:
    """By who has read both, or looks at all between the two; not by who began there and found no other."""
    again = record(1, **{BEHIND: 3})
    page = Page(4, 5, 8, 10, known)
    if known.begin == 9:
        page.take(4, record(1), b"first")
    page.take(6, record(2) if known.begin == 9 else record(1), b"")
    assert not page.take(7, again, b"again")
    assert [found.offset for found in page.records] == [6]


def test_who_cannot_know_looks_back() -> None:
    """Once: what is not there then is new."""
    again = record(1, **{BEHIND: 3})
    with pytest.raises(Unsure) as unsure:
        Page(6, 5, 7, 10, Known(9, ())).take(6, again, b"again")
    assert unsure.value.behind == 3
    page = Page(4, 5, 7, 10, Known(9, ()))
    page.take(4, record(0), b"other")
    page.take(6, again, b"again")
    assert [found.body for found in page.records] == [b"again"]


@pytest.mark.parametrize("error", [StreamLostError(), ChannelClosedByBroker(404, "gone"), BrokerUnavailable()])
def test_a_lost_broker_is_unavailable(error: Exception) -> None:
    assert outcome(error).check(BrokerUnavailable)


@pytest.mark.parametrize("error", [RecordsGone(), ValueError(), CancelledError()])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    """Of ours, or of who does not want the answer any more."""
    assert outcome(error).value is error


def outcome(error: Exception) -> object:
    waiting: Deferred[None] = Deferred()
    waiting.errback(error)
    failures: list = []
    bounded(waiting, 1.0, Clock()).addErrback(failures.append)
    return failures[0]


def test_an_answer_that_is_late_means_that_the_broker_is_away() -> None:
    """Whoever cancels before is told so."""
    clock = Clock()
    late, cancelled = [bounded(Deferred(), 1.0, clock) for _ in range(2)]
    failures: list = []
    for each in (cancelled, late):
        each.addErrback(failures.append)
    cancelled.cancel()
    clock.advance(1.0)
    assert [failure.type for failure in failures] == [CancelledError, BrokerUnavailable]
    assert "within 1 s" in str(failures[1].value)
