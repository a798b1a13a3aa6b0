"""The latest packets of a namespace in their order, so that who missed some of them can be sent those.

             start                         position
    gone ------|--- 8 --- 9 --- 12 --- 13 --|          Log.after(9, rooms) gives what of 12 and 13 is for these rooms

A packet has a position, a number that only grows; in front of `start` nothing is known any more.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from txsocketio.engineio.deadlines import Deadline, Deadlines
    from txsocketio.engineio.outgoing import Outgoing

#: The time for which packets are kept is measured in so many parts, so that no packet needs a time of its own.
PARTS = 8


class Log:
    """Keeps packets, bounded in time, number and bytes.

    Args:
        deadlines: what tells that time has passed.
        seconds: how long a packet is kept at least, and at most an eighth longer.
        max_packets: beyond it the oldest go before their time.
        max_bytes: the same, of the packets as they are encoded.

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
        self._packets: deque[tuple[int, Outgoing, Sequence[str], Sequence[str]]] = deque()
        self._bytes = 0
        self._marks: deque[int] = deque()
        self._tick_due: Deadline | None = None

    def __len__(self) -> int:
        return len(self._packets)

    def append(self, position: int, outgoing: Outgoing, rooms: Sequence[str], excluded: Sequence[str]) -> None:
        """Keep a packet that was sent to these rooms, or to everybody if there are none. Hot path."""
        self.position = position
        self._packets.append((position, outgoing, rooms, excluded))
        self._bytes += outgoing.size
        while self._bytes > self._max_bytes or len(self._packets) > self._max_packets:
            self._drop_oldest()
        if self._tick_due is None:
            self._await_tick()

    def after(self, position: int, rooms: set[str]) -> list[Outgoing]:
        """What is behind the position for somebody who is in these rooms, the oldest first."""
        found = []
        for at, outgoing, to, excluded in reversed(self._packets):
            if at <= position:
                break
            if (not to or not rooms.isdisjoint(to)) and rooms.isdisjoint(excluded):
                found.append(outgoing)
        found.reverse()
        return found

    def clear(self) -> None:
        """Forget all packets; positions go on where they are."""
        self._packets.clear()
        self._bytes = 0
        self.start = self.position
        self._marks.clear()
        if self._tick_due is not None:
            self._tick_due.cancel()
            self._tick_due = None

    def _drop_oldest(self) -> None:
        self.start, outgoing, _, _ = self._packets.popleft()
        self._bytes -= outgoing.size

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
