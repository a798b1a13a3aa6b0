"""Reading a stream, on a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txsocketio.adapters.redis.client import RedisClient
from txsocketio.adapters.redis.streams_reader import LONGEST_PAUSE, PAUSE, SLICE, Extent, StreamReader
from txsocketio.adapters.redis.streams_wire import position_of
from txsocketio.errors import BrokerError, BrokerUnavailable
from txsocketio.types import Json

COUNT = 3


class RecordingRedis:
    """Stands for the client and for its reader.

    Attributes:
        asked: the commands, each with what is to be replied.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[Json], Deferred[Json]]] = []

    def reader(self) -> RecordingRedis:
        return self

    def execute(self, *words: Json, block: float) -> Deferred[Json]:
        self.asked.append((words, Deferred()))
        return self.asked[-1][1]

    def reply(self, reply: Json) -> None:
        """To the last command."""
        self.asked[-1][1].callback(reply)

    def fail(self, error: Exception) -> None:
        self.asked[-1][1].errback(error)

    @property
    def last(self) -> Json:
        """The name of the last command; of an XREAD, behind which id it reads."""
        words = self.asked[-1][0]
        return words[-1] if words[0] == "XREAD" else words[0]


def information(first: bytes | None, last: bytes, added: int = 5, length: int = 1) -> list[Json]:
    """What XINFO STREAM replies."""
    entry = None if first is None else [first, [b"a", b"b"]]
    return [b"length", length, b"last-generated-id", last, b"entries-added", added, b"first-entry", entry]


def entries(*ids: str) -> list[Json]:
    """What XREAD replies."""
    return [[b"stream", [[id.encode(), [b"id", id.encode()]] for id in ids]]]


class Rig:
    def __init__(self) -> None:
        self.clock = Clock()
        self.redis = RecordingRedis()
        self.reader = StreamReader(cast("RedisClient", self.redis), "stream", COUNT, 5.0, self.clock)
        self.read: list[str] = []
        self.gaps: list[tuple[int, bool]] = []
        self.reader.on_entry = lambda position, fields: self.read.append(fields[1].decode())
        self.reader.on_gap = lambda position, is_lost: self.gaps.append((position, is_lost))

    def begin(self) -> None:
        Deferred.fromCoroutine(self.reader.start())
        self.redis.reply(information(b"1-0", b"9-0"))


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.begin()
    return rig


def test_it_begins_behind_what_is_there(rig: Rig) -> None:
    """Behind the very last entry there ever was, so that none is missed that is added before it asks."""
    assert rig.redis.last == "9-0"
    rig.redis.reply(None)
    assert rig.redis.last == "9-0"
    rig.redis.reply(entries("10-0", "10-1"))
    assert (rig.read, rig.redis.last) == (["10-0", "10-1"], "10-1")


def test_stream_that_is_not_there_is_read_from_its_beginning() -> None:
    rig = Rig()
    Deferred.fromCoroutine(rig.reader.start())
    rig.redis.fail(BrokerError("ERR no such key"))
    assert rig.redis.last == "0-0"


def test_reactor_has_its_turn_when_entries_take_long(rig: Rig) -> None:
    rig.reader.on_entry = lambda position, fields: (
        rig.read.append(fields[1].decode()),
        rig.clock.advance(SLICE * 0.6),
    )
    rig.redis.reply(entries("10-0", "10-1"))
    assert (rig.read, len(rig.redis.asked)) == (["10-0", "10-1"], 2)
    rig.clock.advance(0)
    assert rig.redis.last == "10-1"


def test_pauses_grow_while_redis_fails(rig: Rig) -> None:
    """And nothing is skipped by that."""
    pauses = []
    for _ in range(8):
        rig.redis.fail(BrokerUnavailable("lost"))
        (call,) = rig.clock.getDelayedCalls()
        pauses.append(call.getTime() - rig.clock.seconds())
        rig.clock.advance(pauses[-1])
        assert rig.redis.last == "XINFO"
    assert pauses[:3] == pytest.approx([PAUSE, 2 * PAUSE, 4 * PAUSE])
    assert pauses[-1] == LONGEST_PAUSE
    rig.redis.reply(information(b"1-0", b"11-0"))
    assert rig.redis.last == "9-0"
    rig.redis.reply(entries("10-0"))
    assert (rig.read, rig.gaps) == (["10-0"], [])


def test_what_was_removed_while_it_was_away_is_a_gap(rig: Rig) -> None:
    rig.redis.fail(BrokerUnavailable("lost"))
    rig.clock.advance(PAUSE)
    rig.redis.reply(information(b"12-0", b"13-0"))
    assert rig.gaps == [(position_of(b"12-0") - 1, True)]
    rig.redis.reply(entries("12-0", "13-0"))
    assert rig.read == ["12-0", "13-0"]


def test_end_that_redis_has_lost_was_read(rig: Rig) -> None:
    """Nobody here has missed it."""
    rig.redis.reply(entries("10-0", "11-0"))
    rig.redis.fail(BrokerUnavailable("lost"))
    rig.clock.advance(PAUSE)
    rig.redis.reply(information(b"1-0", b"10-0"))
    assert rig.gaps == [(position_of(b"10-0"), False)]
    assert rig.redis.last == "10-0"


def test_stream_that_was_deleted_is_a_gap(rig: Rig) -> None:
    rig.redis.reply(entries("10-0", "11-0"))
    rig.redis.fail(BrokerUnavailable("lost"))
    rig.clock.advance(PAUSE)
    rig.redis.reply(information(b"5-0", b"6-0"))
    assert rig.gaps == [(0, True)]
    assert rig.redis.last == "0-0"


def test_reader_that_is_behind_notices_a_gap(rig: Rig) -> None:
    """It is behind when it gets as many entries as it asks for; their first one may not be the next one."""
    rig.redis.reply(entries("10-0", "10-1", "10-2"))
    assert rig.redis.last == "XINFO"
    rig.redis.reply(information(b"1-0", b"20-0"))
    assert (rig.read, rig.gaps) == (["10-0", "10-1", "10-2"], [])
    rig.redis.reply(entries("15-0", "16-0", "17-0"))
    rig.redis.reply(information(b"16-0", b"20-0"))
    assert rig.gaps == [(position_of(b"15-0") - 1, True)]
    assert (rig.read[3:], rig.redis.last) == (["15-0", "16-0", "17-0"], "17-0")


def test_entries_are_read_again_when_it_is_not_known_whether_they_are_the_next(rig: Rig) -> None:
    rig.redis.reply(entries("10-0", "10-1", "10-2"))
    rig.redis.fail(BrokerUnavailable("lost"))
    rig.clock.advance(PAUSE)
    rig.redis.reply(information(b"1-0", b"10-2"))
    assert (rig.read, rig.redis.last) == ([], "9-0")


def test_who_is_given_an_entry_can_stop_it(rig: Rig) -> None:
    def stop(position: int, fields: Sequence[bytes]) -> None:
        rig.read.append(fields[1].decode())
        rig.reader.stop()

    rig.reader.on_entry = stop
    rig.redis.reply(entries("10-0", "10-1"))
    assert (rig.read, len(rig.redis.asked), rig.clock.getDelayedCalls()) == (["10-0"], 2, [])


@pytest.mark.parametrize("is_asking", [True, False])
def test_stopped_reader_does_nothing(rig: Rig, is_asking: bool) -> None:
    if not is_asking:
        rig.redis.fail(BrokerUnavailable("lost"))
    rig.reader.stop()
    rig.clock.advance(10)
    assert (len(rig.redis.asked), rig.clock.getDelayedCalls()) == (2, [])


@pytest.mark.parametrize(
    ("position", "holds"), [(4, False), (5, True), (7, True), (9, True), (10, False)], ids=lambda value: f"{value}"
)
def test_extent_holds_what_is_behind_its_first_entry(position: int, holds: bool) -> None:
    assert Extent(5, 9, is_whole=False).holds(position) is holds


def test_whole_stream_holds_everything() -> None:
    assert Extent(5, 9, is_whole=True).holds(0)
    assert not Extent(5, 9, is_whole=True).holds(10)
