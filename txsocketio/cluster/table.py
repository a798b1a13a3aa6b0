"""A table that every node has whole in its memory, and whose rows change by swaps, over a log that all nodes read.

A log cannot compare and set. But all nodes read the same records in the same order, so they all can decide the same:

    position      8            9            10           11
    record        set A        A -> B       A -> C       B -> D          each says behind which one it comes: its base
    base          0            8            8            9
    row           A            B            B  (lost)    D               taken if its base is later than that of the row

A node that starts later may not see all of the records: what it finds first of a row can be a swap that was lost. Of
it the node knows no better; but the next swap has a later base on all nodes, and they are of one mind again.

Nothing here knows the broker: an adapter appends, and hands over what it reads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred, fail, succeed

from txsocketio.errors import BrokerUnavailable, UnserializableData

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

#: How many swaps may be on their way through the log, and for how many seconds each.
MAX_SWAPS = 10_000
SWAP_TIMEOUT = 10.0

#: Has the log take a record: the key of the row, the base, and the value, None to delete it. Gives the name under which
#: the swap comes back, and what fails if it never will. It may raise BrokerUnavailable and UnserializableData.
Append = Callable[[str, int, bytes | None], tuple[Hashable, Deferred[Any]]]


class Change(NamedTuple):
    """A swap, as it is read from the log.

    Attributes:
        position: in the log; 1 is the least.
        base: the version of the row that was there for whoever wrote this; 0 when there was none.
        value: None to delete the row.
        time: at which it was written.
        name: of the swap, if it is one of ours.
    """

    key: str
    position: int
    base: int
    value: bytes | None
    time: float
    name: Hashable


class Row:
    """What a key stands for.

    Attributes:
        value: None when the row was deleted: it is remembered, so that no late swap brings it back.
        version: the position of the record that made it so; always later than the base.
        base: the version that was there before.
        end: the time at which it is gone.
    """

    __slots__ = ("base", "end", "value", "version")

    def __init__(self, value: bytes | None, version: int, base: int, end: float) -> None:
        self.value = value
        self.version = version
        self.base = base
        self.end = end


class Swap(NamedTuple):
    """One that is on its way, and when it is waited for no longer."""

    done: Deferred[bytes | None]
    end: float


class Table:
    """The rows, and the swaps that are on their way.

    Args:
        lifetime: seconds after which a row is gone that was not swapped again.
        max_rows: how many there may be; beyond it those that were swapped the longest ago are forgotten here.
        max_bytes: of all their keys and values together; likewise.
    """

    def __init__(self, clock: IReactorTime, append: Append, lifetime: float, max_rows: int, max_bytes: int) -> None:
        self._clock = clock
        self._append = append
        self._lifetime = lifetime
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        # What was swapped last is at the end. A dict gets slow when rows move there from its front: 80 us a change
        # instead of 4 with 100 000 rows that are swapped in turn (CPython 3.11).
        self._rows: OrderedDict[str, Row] = OrderedDict()
        self._bytes = 0
        self._swaps: dict[Hashable, Swap] = {}
        self._due: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def value(self, key: str) -> bytes | None:
        """The row, as far as the log has been read; None when there is none."""
        row = self._rows.get(key)
        return row.value if row is not None and row.end > self._clock.seconds() else None

    def swap(self, key: str, old: bytes | None, new: bytes | None) -> Deferred[bytes | None]:
        """Put `new` in the place of `old`, None standing for no row; with both the same, the row lives on.

        Returns:
            Fires with the row as it is then: with `new`, unless another one was there.

        Fails with:
            BrokerUnavailable: nobody knows whether it was done; or too many are on their way, and it was not.
            UnserializableData: the broker does not take so much.
        """
        value = self.value(key)
        if value not in (old, new):
            return succeed(value)
        if value != old:
            return succeed(new)
        if len(self._swaps) >= MAX_SWAPS:
            return fail(BrokerUnavailable(f"{len(self._swaps)} swaps are on their way already"))
        row = self._rows.get(key)
        try:
            name, appended = self._append(key, 0 if row is None else row.version, new)
        except (BrokerUnavailable, UnserializableData) as error:
            return fail(error)
        return self._wait(name, appended)

    # --- swaps that are on their way ---

    def _wait(self, name: Hashable, appended: Deferred[Any]) -> Deferred[bytes | None]:
        done: Deferred[bytes | None] = Deferred()
        self._swaps[name] = Swap(done, self._clock.seconds() + SWAP_TIMEOUT)
        self._watch()
        appended.addErrback(self._failed, name)
        return done

    def _watch(self) -> None:
        """Have one timer for all swaps, while there are any."""
        if self._swaps and self._due is None:
            end = next(iter(self._swaps.values())).end
            self._due = self._clock.callLater(max(end - self._clock.seconds(), 0.0), self._give_up_late)
        elif self._due is not None and not self._swaps:
            self._due.cancel()
            self._due = None

    def _give_up_late(self) -> None:
        self._due = None
        now = self._clock.seconds()
        names = [name for name, _ in takewhile(lambda item: item[1].end <= now, self._swaps.items())]
        late = [self._swaps.pop(name) for name in names]
        self._watch()
        for swap in late:
            swap.done.errback(BrokerUnavailable(f"a swap did not come back within {SWAP_TIMEOUT:g} s"))

    def give_up(self, why: str) -> None:
        """Wait for no swap any more: the broker is away. Each of them fails with BrokerUnavailable."""
        swaps, self._swaps = self._swaps, {}
        self._watch()
        for swap in swaps.values():
            swap.done.errback(BrokerUnavailable(why))

    def _failed(self, failure: Failure, name: Hashable) -> None:
        swap = self._taken(name)
        if swap is not None:
            swap.done.errback(failure)

    def _taken(self, name: Hashable) -> Swap | None:
        swap = self._swaps.pop(name, None)
        self._watch()
        return swap

    # --- reading ---

    def read(self, change: Change) -> None:
        """Take what the log has next."""
        now = self._clock.seconds()
        self._forget_old(now)  # first, as whoever wrote it may have done so already
        self._apply(change, min(change.time, now) + self._lifetime)
        self._forget_old(now)
        swap = self._taken(change.name)
        if swap is not None:
            swap.done.callback(self.value(change.key))

    def clear(self) -> None:
        """Forget all rows: the log is another one."""
        self._rows.clear()
        self._bytes = 0

    def _apply(self, change: Change, end: float) -> None:
        row = self._rows.get(change.key)
        if row is None or change.base > row.base:
            self._forget(change.key)
            # Positions begin anew when the log does, and a base can be from before.
            version = max(change.position, change.base + 1)
            self._rows[change.key] = Row(change.value, version, change.base, end)
            self._bytes += len(change.key) + len(change.value or b"")

    def _forget_old(self, now: float) -> None:
        while self._rows:
            oldest = next(iter(self._rows))
            is_full = len(self._rows) > self._max_rows or self._bytes > self._max_bytes
            if self._rows[oldest].end > now and not is_full:
                break
            self._forget(oldest)

    def _forget(self, key: str) -> None:
        row = self._rows.pop(key, None)
        if row is not None:
            self._bytes -= len(key) + len(row.value or b"")
