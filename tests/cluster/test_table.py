"""A table that is made of a log: all nodes decide alike whose swap was done."""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txsocketio import BrokerUnavailable, UnserializableData
from txsocketio.cluster import table as cluster_table
from txsocketio.cluster.table import SWAP_TIMEOUT, Change, Table


class Log:
    """Nodes on one clock, and what they have appended; each reads it when the test says so.

    Attributes:
        error: raised to whoever appends next.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.changes: list[Change] = []
        self.error: Exception | None = None

    def node(self, lifetime: float = 60.0, rows: int = 100, size: int = 10_000) -> Node:
        """A node that has read nothing yet."""
        return Node(self, lifetime, rows, size)


class Node(Table):
    """A table that knows how far it has read.

    Attributes:
        appended: what the log was to confirm, in order.
    """

    def __init__(self, log: Log, lifetime: float, rows: int, size: int) -> None:
        super().__init__(log.clock, self._write, lifetime, rows, size)
        self.appended: list[Deferred[None]] = []
        self._log = log
        self._position = 0

    def _write(self, key: str, base: int, value: bytes | None) -> tuple[Hashable, Deferred[None]]:
        if self._log.error is not None:
            raise self._log.error
        position = len(self._log.changes) + 1
        self._log.changes.append(Change(key, position, base, value, self._log.clock.seconds(), (self, position)))
        self.appended.append(Deferred())
        return (self, position), self.appended[-1]

    def catch_up(self) -> None:
        """Read everything that is in the log."""
        for change in self._log.changes[self._position :]:
            self.read(change)
        self._position = len(self._log.changes)

    def swapped(self, key: str, old: bytes | None, new: bytes | None) -> bytes | None:
        """The outcome of a swap that is read back at once."""
        swap = self.swap(key, old, new)
        self.catch_up()
        return outcome(swap)


def outcome(swap: Deferred[bytes | None]) -> bytes | None:
    """What the swap has fired with, or raises."""
    results: list[object] = []
    swap.addBoth(results.append)
    (result,) = results
    if result is None or isinstance(result, bytes):
        return result
    result.raiseException()  # type: ignore[attr-defined]
    raise AssertionError


def error_of(swap: Deferred[bytes | None]) -> str:
    """Why nobody knows whether the swap was done."""
    with pytest.raises(BrokerUnavailable) as caught:
        outcome(swap)
    return str(caught.value)


@pytest.fixture
def log() -> Log:
    return Log()


def test_row_is_the_same_for_all(log: Log) -> None:
    """Also for who comes later."""
    one, two = log.node(), log.node()
    assert one.swapped("key", None, b"\0A") == b"\0A"
    two.catch_up()
    assert two.swapped("key", b"\0A", b"B") == b"B"
    assert two.swapped("gone", None, b"A") == b"A"
    assert two.swapped("gone", b"A", None) is None
    late = log.node()
    for node in (one, two, late):
        node.catch_up()
        assert [node.value(key) for key in ("key", "gone", "never")] == [b"B", None, None]


def test_swap_of_what_is_not_there_is_not_done(log: Log) -> None:
    """It tells what is there; what is there already counts as done. Nothing is written for that."""
    node = log.node()
    node.swapped("key", None, b"A")
    assert outcome(node.swap("key", None, b"B")) == b"A"
    assert outcome(node.swap("key", b"B", b"C")) == b"A"
    assert outcome(node.swap("key", b"B", None)) == b"A"
    assert outcome(node.swap("key", None, b"A")) == b"A"
    assert outcome(node.swap("other", b"A", b"B")) is None
    assert len(log.changes) == 1


def test_one_of_many_rivals_wins(log: Log) -> None:
    """All learn who it was, although none had read of the others when it wrote."""
    nodes = [log.node() for _ in range(3)]
    old = None
    for turn in range(3):
        swaps = [node.swap("key", old, b"%d by %d" % (turn, n)) for n, node in enumerate(nodes)]
        for node in reversed(nodes):
            node.catch_up()
        old = b"%d by 0" % turn
        assert [outcome(swap) for swap in swaps] == [old] * 3


# What is left of the history of a row for a node that starts late. A record is its position, its base and its value.

History = list[tuple[int, int, bytes | None]]

#: The swap at 3 was lost against that at 2, and the one at 5 against that at 4.
HISTORY: History = [(1, 0, b"A"), (2, 1, b"B"), (3, 1, b"lost"), (4, 2, b"C"), (5, 2, None), (6, 4, b"D")]


def value_after(history: History) -> bytes | None:
    node = Log().node()
    for position, base, value in history:
        node.read(Change("key", position, base, value, 0.0, None))
    return node.value("key")


@pytest.mark.parametrize(("length", "expected"), [(1, b"A"), (2, b"B"), (3, b"B"), (4, b"C"), (5, b"C"), (6, b"D")])
def test_late_swaps_are_lost(length: int, expected: bytes) -> None:
    """Whoever reads everything sees the same after each record."""
    assert value_after(HISTORY[:length]) == expected


@pytest.mark.parametrize("start", range(6))
def test_all_are_of_one_mind_in_the_end(start: int) -> None:
    """Also who began to read where an earlier record, or only a lost one, was left."""
    assert value_after(HISTORY[start:]) == b"D"


def test_late_swap_does_not_bring_back_what_was_deleted() -> None:
    """A node that had not heard that the client was gone."""
    assert value_after([(1, 0, b"A"), (2, 1, None), (3, 1, b"late")]) is None
    assert value_after([(2, 1, None), (3, 1, b"late")]) is None


def test_row_that_was_written_behind_the_end_of_its_log_can_be_swapped(log: Log) -> None:
    """The log was made anew while a swap was on its way: its base is of another time."""
    node = log.node()
    node.read(Change("key", 1, 7, b"A", 0.0, None))
    assert node.swapped("key", b"A", b"B") == b"B"


def test_rows_end(log: Log) -> None:
    """Unless they are swapped once more; it is the same for who starts later."""
    node = log.node(lifetime=10.0)
    for key in ("ends", "stays"):
        node.swapped(key, None, b"A")
    log.clock.advance(6.0)
    assert node.swapped("stays", b"A", b"A") == b"A"
    log.clock.advance(6.0)
    late = log.node(lifetime=10.0)
    late.catch_up()
    for each in (node, late):
        assert [each.value(key) for key in ("ends", "stays")] == [None, b"A"]
        assert len(each) == 1 + (each is node)
    assert late.swapped("ends", None, b"B") == b"B"


def test_row_that_ended_is_gone_for_all(log: Log) -> None:
    """Who has forgotten it writes it anew; who has not forgotten it yet must not take that for a late swap."""
    tidy, other = log.node(lifetime=10.0), log.node(lifetime=10.0)
    tidy.swapped("key", None, b"A")
    log.clock.advance(9.0)
    swap = tidy.swap("another", None, b"")
    other.catch_up()
    log.clock.advance(1.0)
    tidy.catch_up()
    assert outcome(swap) == b""
    assert len(tidy) == 1
    assert len(other) == 2
    assert tidy.swapped("key", None, b"B") == b"B"
    other.catch_up()
    assert other.value("key") == b"B"


def test_row_lives_no_longer_than_it_may(log: Log) -> None:
    """The clock of the broker, or of the node that wrote it, is ahead."""
    node = log.node(lifetime=10.0)
    node.read(Change("key", 1, 0, b"A", 1_000_000.0, None))
    log.clock.advance(9.0)
    assert node.value("key") == b"A"
    log.clock.advance(1.0)
    assert node.value("key") is None


def test_oldest_rows_are_forgotten(log: Log) -> None:
    """There is room for so many, and so many bytes of keys and values."""
    rows, few, small = log.node(), log.node(rows=2), log.node(size=25)
    for key in ("a", "b", "c"):
        rows.swapped(key, None, b"0123456789")
    rows.swapped("a", b"0123456789", b"0123456789")
    for each in (few, small):
        each.catch_up()
        assert [each.value(key) is not None for key in ("a", "b", "c")] == [True, False, True]
        assert len(each) == 2


def test_deleted_rows_and_shorter_ones_give_their_room_back(log: Log) -> None:
    """Else a table would be full in the end of what is not there any more."""
    node = log.node(size=30)
    for _ in range(3):
        node.swapped("key", None, b"0123456789")
        node.swapped("key", b"0123456789", b"")
        node.swapped("key", b"", None)
    node.swapped("other", None, b"0123456789")
    node.swapped("last", None, b"")
    assert node.value("other") == b"0123456789"
    node.clear()
    assert not len(node)
    assert node.swapped("a", None, bytes(29)) == bytes(29)


def test_swap_is_not_waited_for_for_ever(log: Log) -> None:
    """Its record is lost, or the log is not read: nobody knows then whether it was done, and it may be later."""
    node = log.node()
    first = node.swap("a", None, b"A")
    log.clock.advance(SWAP_TIMEOUT / 2)
    second = node.swap("b", None, b"B")
    log.clock.advance(SWAP_TIMEOUT / 2)
    assert "did not come back" in error_of(first)
    assert not second.called
    log.clock.advance(SWAP_TIMEOUT / 2)
    assert "did not come back" in error_of(second)
    assert not log.clock.getDelayedCalls()
    node.catch_up()
    assert node.value("a") == b"A"


def test_who_is_let_down_may_try_again_at_once(log: Log) -> None:
    """It has all its time once more."""
    node = log.node()
    again: list[Deferred[bytes | None]] = []
    node.swap("a", None, b"A").addErrback(lambda _: again.append(node.swap("a", None, b"A")))
    log.clock.advance(SWAP_TIMEOUT)
    log.clock.advance(SWAP_TIMEOUT - 0.1)
    assert not again[0].called
    log.clock.advance(0.1)
    error_of(again[0])


def test_only_so_many_swaps_are_on_their_way(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more fails at once, and nothing is written of it."""
    monkeypatch.setattr(cluster_table, "MAX_SWAPS", 2)
    node = log.node()
    swaps = [node.swap(key, None, b"") for key in ("a", "b", "c")]
    assert "2 swaps are on their way" in error_of(swaps[2])
    assert len(log.changes) == 2
    node.catch_up()
    assert [outcome(swap) for swap in swaps[:2]] == [b"", b""]
    assert node.swapped("c", None, b"") == b""


def test_nobody_waits_for_a_broker_that_is_away(log: Log) -> None:
    """What is on its way fails when that is noticed; what is not confirmed, when that is."""
    node = log.node()
    swaps = [node.swap(key, None, b"") for key in ("a", "b")]
    node.appended[0].errback(BrokerUnavailable("stopped"))
    assert error_of(swaps[0]) == "stopped"
    node.give_up("away")
    assert error_of(swaps[1]) == "away"
    assert not log.clock.getDelayedCalls()
    node.appended[1].errback(BrokerUnavailable("stopped"))
    log.error = BrokerUnavailable("away")
    assert error_of(node.swap("c", None, b"")) == "away"


def test_what_the_broker_does_not_take_is_told(log: Log) -> None:
    """By the Deferred, as everything else."""
    log.error = UnserializableData("too large")
    with pytest.raises(UnserializableData):
        outcome(log.node().swap("key", None, b""))
