"""What waits for a broker that may go away."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txsocketio.cluster import outbox
from txsocketio.cluster.options import ClusterOptions
from txsocketio.cluster.outbox import PAUSE, Outbox
from txsocketio.errors import BrokerError, BrokerUnavailable


class Rig:
    """An outbox, and the groups that it has sent, each with what is to be said of it."""

    def __init__(self, **options: int) -> None:
        self.clock = Clock()
        self.sent: list[tuple[list[str], Deferred[None]]] = []
        self.outbox: Outbox[str] = Outbox(self._send, ClusterOptions.of(options), self.clock)

    def _send(self, group: Sequence[str]) -> Deferred[None]:
        self.sent.append(([*group], Deferred()))
        return self.sent[-1][1]

    def put(self, *messages: str) -> list[list[object]]:
        """Put messages; of each the outcome, when there is one."""
        outcomes: list[list[object]] = []
        for message in messages:
            outcome: list[object] = []
            self.outbox.put(message, len(message)).addBoth(outcome.append)
            outcomes.append(outcome)
        return outcomes

    def groups(self) -> list[list[str]]:
        return [group for group, _ in self.sent]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_everything_waits_for_the_broker(rig: Rig) -> None:
    outcomes = rig.put("a", "b")
    assert (rig.groups(), len(rig.outbox), rig.outbox.size) == ([], 2, 2)
    rig.outbox.open()
    assert rig.groups() == [["a", "b"]]
    assert outcomes == [[], []]
    rig.sent[0][1].callback(None)
    assert (outcomes, len(rig.outbox), rig.outbox.size) == ([[None], [None]], 0, 0)


def test_what_comes_while_a_group_is_under_way_makes_the_next_one(rig: Rig) -> None:
    """So the broker never has two of which it could take the later one only."""
    rig.outbox.open()
    rig.put("a", "b", "c")
    assert rig.groups() == [["a"]]
    rig.sent[0][1].callback(None)
    assert rig.groups() == [["a"], ["b", "c"]]


def test_groups_are_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes; what is larger goes alone."""
    monkeypatch.setattr(outbox, "GROUP", 3)
    monkeypatch.setattr(outbox, "GROUP_BYTES", 4)
    rig.put("a", "b", "c", "d", "large", "e", "ffff")
    rig.outbox.open()
    while rig.outbox:
        rig.sent[-1][1].callback(None)
    assert rig.groups() == [["a", "b", "c"], ["d"], ["large"], ["e"], ["ffff"]]


def test_what_nobody_knows_of_is_sent_again_first(rig: Rig) -> None:
    """When the broker is back, in the order of before."""
    rig.outbox.open()
    outcomes = rig.put("a", "b")
    rig.outbox.close()
    rig.sent[0][1].errback(BrokerUnavailable("lost"))
    outcomes += rig.put("c")
    assert (rig.groups(), outcomes) == ([["a"]], [[], [], []])
    rig.outbox.open()
    assert rig.groups() == [["a"], ["a", "b", "c"]]
    rig.sent[1][1].callback(None)
    assert outcomes == [[None]] * 3


def test_broker_that_is_there_is_asked_again_after_a_pause(rig: Rig) -> None:
    """Nothing overtakes what it has not taken."""
    rig.outbox.open()
    rig.put("a")
    rig.sent[0][1].errback(BrokerUnavailable("out of memory"))
    rig.put("b")
    assert rig.groups() == [["a"]]
    rig.clock.advance(PAUSE)
    assert rig.groups() == [["a"], ["a", "b"]]
    rig.sent[1][1].errback(BrokerUnavailable("out of memory"))
    rig.outbox.close()
    assert not rig.clock.getDelayedCalls()


def test_what_the_broker_refuses_is_given_up(rig: Rig) -> None:
    rig.outbox.open()
    refused, taken = rig.put("a", "b")
    rig.sent[0][1].errback(BrokerError("WRONGTYPE"))
    rig.sent[1][1].callback(None)
    assert [type(each.value) for each in refused] == [BrokerError]  # type: ignore[attr-defined]
    assert (taken, len(rig.outbox), rig.outbox.size) == ([None], 0, 0)


def test_so_many_messages_wait_for_a_broker_that_is_away() -> None:
    """What is under way counts too."""
    rig = Rig(max_outbox=2)
    rig.outbox.open()
    rig.put("a", "b", "c")
    rig.outbox.close()
    with pytest.raises(BrokerUnavailable, match="max_outbox"):
        rig.put("d")
    rig.sent[0][1].callback(None)
    rig.outbox.open()
    rig.sent[1][1].callback(None)
    rig.outbox.close()
    rig.put("d", "e")
    with pytest.raises(BrokerUnavailable, match="max_outbox"):
        rig.put("f")


@pytest.mark.parametrize("is_open", [True, False])
def test_so_many_bytes_wait_for_a_broker(is_open: bool) -> None:
    rig = Rig(max_outbox_bytes=5)
    if is_open:
        rig.outbox.open()
    rig.put("aa", "bb")
    with pytest.raises(BrokerUnavailable, match="max_outbox"):
        rig.put("cc")
    rig.put("c")


def test_stopped_outbox_fails_what_waits(rig: Rig) -> None:
    """And takes nothing until it is started again."""
    rig.outbox.open()
    outcomes = rig.put("a", "b")
    rig.outbox.stop()
    assert [type(each.value) for (each,) in outcomes] == [BrokerUnavailable] * 2  # type: ignore[attr-defined]
    rig.sent[0][1].callback(None)
    with pytest.raises(BrokerUnavailable, match="closed"):
        rig.put("c")
    rig.outbox.start()
    rig.put("c")
    assert (rig.groups(), len(rig.outbox)) == ([["a"]], 1)


def test_it_is_told_when_everything_is_gone(rig: Rig) -> None:
    assert rig.outbox.when_empty().called
    rig.outbox.open()
    rig.put("a", "b")
    empty = rig.outbox.when_empty()
    rig.sent[0][1].callback(None)
    assert not empty.called
    rig.sent[1][1].callback(None)
    assert empty.called


def test_what_is_put_when_something_is_taken_is_sent_behind_what_waits(rig: Rig) -> None:
    rig.outbox.open()
    rig.outbox.put("a", 1).addCallback(lambda _: rig.put("c"))
    rig.put("b")
    rig.sent[0][1].callback(None)
    rig.sent[1][1].callback(None)
    assert rig.groups() == [["a"], ["b"], ["c"]]
