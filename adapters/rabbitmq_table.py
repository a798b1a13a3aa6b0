"""A table that all nodes share, kept by a stream: who appends last has put.

RabbitMQ keeps no tables, and its streams are not compacted by key, but by time. So an entry lives for `lifetime`
seconds, and whoever wants it longer puts it again. A node that starts reads the records of the last `lifetime` seconds,
and has the whole table; from then on it follows. It is in memory on every node, bounded.

All nodes read the puts in one order: what each of them decides on `on_put` by what it has read, all decide alike.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from txsocketio.adapters.rabbitmq_stream import Record, Stream

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.adapters.rabbitmq_options import RabbitMQOptions
    from txsocketio.adapters.rabbitmq_publisher import Publisher

#: The headers of a record: the key, and whether the entry is gone.
KEY, DELETED = "key", "deleted"

#: What an entry takes in memory, beside its value.
OVERHEAD = 500


class Entry(NamedTuple):
    """What was put last."""

    value: bytes
    position: int
    until: float


class Table:
    """The entries that were put in the last `lifetime` seconds.

    Attributes:
        stream: what keeps it.
        on_put: called with the key, the value and the position of each put, in the order of the log; ours too.
        on_delete: called with the key and the position of each deletion.
    """

    def __init__(
        self, clock: IReactorTime, publisher: Publisher, options: RabbitMQOptions, name: str, lifetime: float
    ) -> None:
        self.stream = Stream(clock, publisher, options, name, since=lifetime)
        self.stream.on_record = self._read
        self.stream.on_reset = self._reset
        self.on_put: Callable[[str, bytes, int], None] = lambda *_: None
        self.on_delete: Callable[[str, int], None] = lambda *_: None
        self._clock = clock
        self._lifetime = lifetime
        self._max_bytes = options.table_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: str, value: bytes) -> Deferred[None]:
        """Fires when the log has it; it is in the table when it is read back."""
        return self.stream.append(value, {KEY: key})

    def delete(self, key: str) -> Deferred[None]:
        """Fires when the log has it."""
        return self.stream.append(b"", {KEY: key, DELETED: True})

    def get(self, key: str) -> Entry | None:
        """The entry as far as the log has been read."""
        self._expire()
        return self._entries.get(key)

    def _read(self, record: Record) -> None:
        key = record.headers[KEY]
        self._remove(key)
        if record.headers.get(DELETED):
            self.on_delete(key, record.offset)
            return
        self._entries[key] = Entry(record.body, record.offset, self._clock.seconds() + self._lifetime)
        self._bytes += len(record.body) + OVERHEAD
        self._expire()
        while self._bytes > self._max_bytes:
            self._remove(next(iter(self._entries)))
        self.on_put(key, record.body, record.offset)

    def _expire(self) -> None:
        now = self._clock.seconds()
        while self._entries:
            key = next(iter(self._entries))
            if self._entries[key].until > now:
                return
            self._remove(key)

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry.value) + OVERHEAD

    def _reset(self) -> None:
        """The log is another one. What was in the table comes again when it is put again."""
        self._entries.clear()
        self._bytes = 0
