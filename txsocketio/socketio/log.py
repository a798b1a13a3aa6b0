"""The latest packets of a namespace in their order, so that who missed some of them can be sent those.

    gone | start        8   9   12   13        position      8 is for all, 12 for two rooms
                   all: 8
                     a:     9   12   13
                     b:         12                           after(8, {"b"}) gives 12

A packet has a position, a number that only grows; in front of `start` nothing is known any more. What is for a room is
kept by room too, so that somebody's packets are found without looking at all: when a network fails, thousands come back
at once, and most of what is kept is for others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from txsocketio.engineio.deadlines import Deadline, Deadlines

#: The time for which packets are kept is measured in so many parts, so that no packet needs a time of its own.
PARTS = 8

#: The rooms of a packet that is for all.
EVERYBODY = (None,)

P = TypeVar("P")

#: The position of a packet, the packet, its size, its rooms and the excluded ones.
Kept = tuple[int, P, int, Sequence[str | None], Sequence[str]]


class Log(Generic[P]):
    """Keeps packets, bounded in time, number and bytes. What a packet is does not matter here.

    Args:
        deadlines: what tells that time has passed.
        seconds: how long a packet is kept at least, and at most an eighth longer.
        max_packets: beyond it the oldest go before their time.
        max_bytes: the same, of their sizes.

    Attributes:
        position: of the latest packet.
        start: every packet behind this position is still there.
    """

    def __init__(self, deadlines: Deadlines, seconds: float, max_packets: int, max_bytes: int) -> None:
        self.position = 0
        self.start = 0
        self._deadlines = deadlines
        self._part = seconds / PARTS
        self._max_packets = max_packets
        self._max_bytes = max_bytes
        self._packets: deque[Kept[P]] = deque()
        self._by_room: dict[str | None, deque[Kept[P]]] = {}
        self._bytes = 0
        self._marks: deque[int] = deque()
        self._tick_due: Deadline | None = None

    def __len__(self) -> int:
        return len(self._packets)

    def append(self, position: int, packet: P, size: int, rooms: Sequence[str], excluded: Sequence[str]) -> None:
        """Keep a packet that was sent to these rooms, or to everybody if there are none. Hot path."""
        kept: Kept[P] = position, packet, size, rooms or EVERYBODY, excluded
        self.position = position
        self._packets.append(kept)
        for room in kept[3]:
            packets = self._by_room.get(room)
            if packets is None:
                self._by_room[room] = deque((kept,))
            else:
                packets.append(kept)
        self._bytes += size
        while self._bytes > self._max_bytes or len(self._packets) > self._max_packets:
            self._drop_oldest()
        if self._tick_due is None:
            self._await_tick()

    def after(self, position: int, rooms: set[str]) -> list[tuple[int, P]]:
        """What is behind the position for somebody who is in these rooms, with its position, the oldest first."""
        found: dict[int, P] = {}
        for room in (None, *rooms):
            for at, packet, _, _, excluded in reversed(self._by_room.get(room, ())):
                if at <= position:
                    break
                if rooms.isdisjoint(excluded):
                    found[at] = packet
        return sorted(found.items())

    def clear(self) -> None:
        """Forget all packets; positions go on where they are."""
        self._packets.clear()
        self._by_room.clear()
        self._bytes = 0
        self.start = self.position
        self._marks.clear()
        if self._tick_due is not None:
            self._tick_due.cancel()
            self._tick_due = None

    def begin(self, position: int) -> None:
        """Nothing up to this position is known."""
        self.clear()
        self.start = self.position = position

    def _drop_oldest(self) -> None:
        self.start, _, size, rooms, _ = self._packets.popleft()
        self._bytes -= size
        for room in rooms:
            packets = self._by_room[room]
            packets.popleft()
            if not packets:
                del self._by_room[room]

    def _await_tick(self) -> None:
        self._tick_due = self._deadlines.start(self._part, self._tick)

    def _tick(self) -> None:
        """Another part of the time is over: what was there `PARTS` of them ago has been kept long enough."""
        self._tick_due = None
        self._marks.append(self.position)
        if len(self._marks) > PARTS:
            old = self._marks.popleft()
            while self._packets and self._packets[0][0] <= old:
                self._drop_oldest()
        if self._packets:
            self._await_tick()
        else:
            self._marks.clear()
