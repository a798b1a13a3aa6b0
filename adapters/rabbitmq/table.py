"""A table that every node has whole in its memory, and whose rows change by swaps; kept by a stream.

RabbitMQ cannot compare and set. But all nodes read the same records in the same order, so they all can decide the same:

    position      8            9            10           11
    record        set A        A -> B       A -> C       B -> D          each says behind which one it comes: its base
    base          0            8            8            9
    row           A            B            B  (lost)    D               taken if its base is later than that of the row

Streams are not compacted by key, but end by time. So a row lives for `lifetime` seconds, and who wants it longer swaps
it for itself. A node that starts reads the records of that time: a row that lives is among them. What it sees first may
be a swap that was lost against one before that time; but the next swap has a later base on all nodes, and they are of
one mind again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail, succeed

from txsocketio.adapters.rabbitmq.stream import Record, Stream
from txsocketio.errors import BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from txsocketio.adapters.rabbitmq.options import RabbitMQOptions
    from txsocketio.adapters.rabbitmq.publisher import Publisher

#: The headers of a record: the key of the row, the base, the time, whether the row is deleted, and a name of the swap.
KEY, BASE, TIME, DELETED, SWAP = "key", "base", "time", "deleted", "swap"


class Row:
    """What a key stands for.

    Attributes:
        value: None when the row was deleted: it is remembered, so that no late swap brings it back.
        version: the position of the record that made it so.
        base: the version that was there before.
        end: the time at which it is gone.
    """

    __slots__ = ("base", "end", "value", "version")

    def __init__(self, value: bytes | None, version: int, base: int, end: float) -> None:
        self.value = value
        self.version = version
        self.base = base
        self.end = end


class Table:
    """The rows of one stream.

    Args:
        node: the name of ours.
        lifetime: seconds after which a row is gone that was not swapped again.

    Attributes:
        stream: what keeps it.
        is_available: whether a swap goes to the broker at once.
        on_lost: called when the rows are lost, because the stream was deleted.
    """

    def __init__(
        self,
        clock: IReactorTime,
        publisher: Publisher,
        options: RabbitMQOptions,
        name: str,
        node: str,
        lifetime: float,
    ) -> None:
        self.stream = Stream(clock, publisher, options, name, since=lifetime)
        self.stream.on_record = self._read
        self.stream.on_reset = self._reset
        self.is_available = False
        self.on_lost: Callable[[], None] = lambda: None
        self._clock = clock
        self._node = node
        self._lifetime = lifetime
        self._max_rows = options.max_sessions
        self._max_bytes = options.max_sessions_bytes
        self._rows: dict[str, Row] = {}  # what was swapped last is at the end
        self._bytes = 0
        self._swaps: dict[str, Deferred[bytes | None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Deferred[bytes | None]:
        """Fires with the row, None when there is none. It can be late by the moment that a record takes to come here.

        Where there is none, it is made sure that there was none when this was called. That can fail with
        BrokerUnavailable.
        """
        value = self._value(key)
        if value is not None:
            return succeed(value)
        return self.stream.latest().addCallback(lambda _: self._value(key))

    def swap(self, key: str, old: bytes | None, new: bytes | None) -> Deferred[bytes | None]:
        """Put `new` in the place of `old`, None standing for no row; with both the same, the row lives on.

        Returns:
            Fires with the row as it is then: with `new`, unless another one was there. Fails with BrokerUnavailable
            when nobody knows whether it was done.
        """
        value = self._value(key)
        if value not in (old, new):
            return succeed(value)
        if value != old:
            return succeed(new)
        if not self.is_available:
            return fail(BrokerUnavailable("RabbitMQ is away"))
        row = self._rows.get(key)
        try:
            return self._write(key, new, 0 if row is None else row.version)
        except BrokerUnavailable as error:
            return fail(error)

    def set_available(self, is_available: bool) -> None:
        """The broker has come or gone: then nobody waits for it any more."""
        self.is_available = is_available
        if not is_available:
            swaps, self._swaps = self._swaps, {}
            for swap in swaps.values():
                swap.errback(BrokerUnavailable("RabbitMQ is away"))

    def _write(self, key: str, value: bytes | None, base: int) -> Deferred[bytes | None]:
        self._count += 1
        name = f"{self._node}{self._count}"
        headers = {KEY: key, BASE: base, TIME: int(self._clock.seconds()), DELETED: value is None, SWAP: name}
        appended = self.stream.append(value or b"", headers)
        swap = self._swaps[name] = Deferred()
        appended.addErrback(self._failed, name)
        return swap

    def _failed(self, failure: Failure, name: str) -> None:
        swap = self._swaps.pop(name, None)
        if swap is not None:
            swap.errback(failure)

    # --- reading ---

    def _value(self, key: str) -> bytes | None:
        row = self._rows.get(key)
        return row.value if row is not None and row.end > self._clock.seconds() else None

    def _read(self, record: Record) -> None:
        now = self._clock.seconds()
        key = record.headers[KEY]
        self._apply(key, record, min(record.headers[TIME], now) + self._lifetime)
        self._forget_old(now)
        swap = self._swaps.pop(record.headers[SWAP], None)
        if swap is not None:
            swap.callback(self._value(key))

    def _apply(self, key: str, record: Record, end: float) -> None:
        base = record.headers[BASE]
        row = self._rows.get(key)
        if row is None or base > row.base:
            self._forget(key)
            value = None if record.headers[DELETED] else record.body
            self._rows[key] = Row(value, record.offset, base, end)
            self._bytes += len(key) + len(record.body)

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

    def _reset(self) -> None:
        self._rows.clear()
        self._bytes = 0
        self.on_lost()
