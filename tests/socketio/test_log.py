"""The latest packets of a namespace: who gets which, and when they go."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from txsocketio.engineio.deadlines import Deadlines
from txsocketio.engineio.outgoing import OVERHEAD, Outgoing
from txsocketio.socketio.log import PARTS, Log

SECONDS = 80.0


class Rig:
    """A log on a clock; each packet is its position in text."""

    def __init__(self, max_packets: int = 1000, max_bytes: int = 1_000_000) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, 0.1)
        self.log: Log[Outgoing] = Log(self.deadlines, SECONDS, max_packets, max_bytes)

    def append(self, *rooms: str, excluded: tuple[str, ...] = (), position: int | None = None) -> None:
        position = self.log.position + 1 if position is None else position
        outgoing = Outgoing(b"%d" % position)
        self.log.append(position, outgoing, outgoing.size, rooms, excluded)

    def after(self, position: int, *rooms: str) -> list[int]:
        return [int(outgoing.text or b"") for _, outgoing in self.log.after(position, set(rooms))]


def test_packets_come_in_order() -> None:
    rig = Rig()
    for _ in range(5):
        rig.append()
    assert [rig.after(position) for position in range(6)] == [[1, 2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5], [4, 5], [5], []]


@pytest.mark.parametrize(
    ("rooms", "expected"),
    [((), [1, 4]), (("a",), [1, 2, 3, 4]), (("b",), [1, 3]), (("a", "b"), [1, 2, 3]), (("c",), [1, 4])],
)
def test_packets_are_for_rooms(rooms: tuple[str, ...], expected: list[int]) -> None:
    """To all, to one of several rooms, and not to who is in an excluded one."""
    rig = Rig()
    rig.append()
    rig.append("a")
    rig.append("a", "b")
    rig.append(excluded=("b",))
    rig.append("a", excluded=("a",))
    assert rig.after(0, *rooms) == expected


def test_positions_may_leave_some_out() -> None:
    """Those of a broker do."""
    rig = Rig()
    for position in (7, 100, 1000):
        rig.append(position=position)
    assert (rig.after(7), rig.after(50), rig.log.position) == ([100, 1000], [100, 1000], 1000)


def test_oldest_packets_go_first() -> None:
    rig = Rig(max_packets=3)
    for _ in range(5):
        rig.append()
    assert (rig.after(0), rig.log.start, rig.log.position) == ([3, 4, 5], 2, 5)


def test_bytes_are_bounded() -> None:
    """Together; a packet that is too large alone takes all with it, and what comes then is kept again."""
    rig = Rig(max_bytes=5 * (OVERHEAD + 1))
    for _ in range(7):
        rig.append()
    assert rig.after(0) == [3, 4, 5, 6, 7]
    rig.log.append(8, Outgoing(b""), 6 * OVERHEAD, (), ())
    assert (len(rig.log), rig.log.start) == (0, 8)
    rig.append()
    assert rig.after(8) == [9]


def test_packets_go_with_time() -> None:
    """None before its time, none later than an eighth of it afterwards; then the timer stops."""
    rig = Rig()
    for _ in range(int(SECONDS)):
        rig.append()
        rig.clock.pump([0.25] * 4)
    for second in range(int(SECONDS), int(2.2 * SECONDS)):
        due = second - SECONDS * (1 + 1 / PARTS) - 4
        assert min(due, 80) <= rig.log.start <= max(second - SECONDS, 0)
        rig.clock.pump([0.25] * 4)
    assert (len(rig.log), rig.log.start, len(rig.deadlines)) == (0, rig.log.position, 0)
    rig.append()
    assert rig.after(rig.log.start) == [81]


def test_cleared_log_keeps_its_position() -> None:
    """No offset is given twice."""
    rig = Rig(max_bytes=2 * (OVERHEAD + 1))
    for _ in range(2):
        rig.append()
        rig.append()
        rig.log.clear()
        assert (len(rig.log), len(rig.deadlines)) == (0, 0)
    rig.log.clear()
    rig.append()
    assert (rig.after(4), rig.log.start) == ([5], 4)
