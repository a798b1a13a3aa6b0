"""A table kept in a compacted topic, which each node has whole in its memory, and whose rows change by swaps.

Kafka cannot compare and set. But all nodes read the same records in the same order, so they all can decide the same:

    position      8            9            10           11
    record        set A        A -> B       A -> C       B -> D          each says behind which one it comes: its base
    base          0            8            8            9
    row           A            B            B  (lost)    D               taken if its base is later than that of the row

A row whose swap was lost can be the one that compaction leaves to a node that starts later. Of it the node knows no
better; but the next swap has a later base on all nodes, and they are of one mind again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail, succeed

from txsocketio.errors import BrokerUnavailable

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from txsocketio.adapters.kafka.client import KafkaClient, KafkaLog
    from txsocketio.adapters.kafka.reader import Gap, Record

#: The header that names the base of a record, in eight bytes.
BASE = "b"


class Row:
    """What a key stands for.

    Attributes:
        value: None when the row was deleted: it is remembered, so that no late swap brings it back.
        version: the position behind the record that made it so; always later than the base.
        base: the version that was there before.
        end: the time at which it is gone.
    """

    __slots__ = ("base", "end", "value", "version")

    def __init__(self, value: bytes | None, version: int, base: int, end: float) -> None:
        self.value = value
        self.version = version
        self.base = base
        self.end = end


class KafkaTable:
    """The rows of one topic. To be made before the client is started, which then has read them all.

    Args:
        lifetime: seconds after which a row is gone that was not written again.
        max_rows: how many there may be; beyond it those that were written the longest ago are forgotten here.
        max_bytes: of all their keys and values together; likewise.

    Attributes:
        on_lost: called when all rows are lost, because the topic was deleted.
    """

    def __init__(self, client: KafkaClient, topic: str, lifetime: float, max_rows: int, max_bytes: int) -> None:
        self._client = client
        self._log: KafkaLog = client.log(topic, client.options.table_settings(lifetime), from_the_start=True)
        self._log.on_records = self._read
        self._log.on_gap = self._gap
        self._lifetime = lifetime
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._rows: dict[bytes, Row] = {}  # what was written last is at the end
        self._size = 0
        self._swaps: dict[int, Deferred[bytes | None]] = {}
        self.on_lost: Callable[[], None] = _ignore

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: bytes) -> Deferred[bytes | None]:
        """Fires with the row as it was when this was called, or later; None when there was none.

        Fails with:
            BrokerUnavailable: nobody knows.
        """
        return self._log.latest().addCallback(lambda _: self._value(key))

    def swap(self, key: bytes, old: bytes | None, new: bytes | None) -> Deferred[bytes | None]:
        """Put `new` in the place of `old`, None standing for no row; with both the same, the row lives on.

        Returns:
            Fires with the row as it is then: with `new`, unless another one was there.

        Fails with:
            BrokerUnavailable: nobody knows whether it was done.
        """
        value = self._value(key)
        if value not in (old, new):
            return succeed(value)
        if value != old:
            return succeed(new)
        if not self._client.is_available:
            return fail(BrokerUnavailable("Kafka is away"))
        return self._write(key, new)

    def lost(self) -> None:
        """The brokers are away: nobody waits for them."""
        swaps, self._swaps = self._swaps, {}
        for swap in swaps.values():
            swap.errback(BrokerUnavailable("Kafka is away"))

    # Writing

    def _write(self, key: bytes, value: bytes | None) -> Deferred[bytes | None]:
        row = self._rows.get(key)
        base = 0 if row is None else row.version
        try:
            appended = self._log.append(key, [(BASE, base.to_bytes(8, "big"))], value)
        except BrokerUnavailable as error:
            return fail(error)
        number = self._log.written
        swap: Deferred[bytes | None] = Deferred()
        self._swaps[number] = swap
        appended.addErrback(self._failed, number)
        return swap

    def _failed(self, failure: Failure, number: int) -> None:
        swap = self._swaps.pop(number, None)
        if swap is not None:
            swap.errback(failure)

    # Reading

    def _value(self, key: bytes) -> bytes | None:
        row = self._rows.get(key)
        return row.value if row is not None and row.end > self._client.reactor.seconds() else None

    def _read(self, records: list[Record]) -> None:
        now = self._client.reactor.seconds()
        for record in records:
            if record.key is not None:
                self._apply(record.key, record, min(record.time, now) + self._lifetime)
                swap = self._swaps.pop(self._log.number_of(record), None)
                if swap is not None:
                    swap.callback(self._value(record.key))
        self._forget_old(now)

    def _apply(self, key: bytes, record: Record, end: float) -> None:
        base = next((int.from_bytes(value, "big") for name, value in record.headers if name == BASE), None)
        row = self._rows.get(key)
        if base is not None and (row is None or base > row.base):
            self._forget(key)
            # Positions begin anew when the topic does, and a base can be from before.
            self._rows[key] = Row(record.value, max(record.offset, base) + 1, base, end)
            self._size += len(key) + len(record.value or b"")

    def _forget_old(self, now: float) -> None:
        while self._rows:
            oldest = next(iter(self._rows))
            is_full = len(self._rows) > self._max_rows or self._size > self._max_bytes
            if self._rows[oldest].end > now and not is_full:
                break
            self._forget(oldest)

    def _forget(self, key: bytes) -> None:
        row = self._rows.pop(key, None)
        if row is not None:
            self._size -= len(key) + len(row.value or b"")

    def _gap(self, gap: Gap) -> None:
        if gap.is_other_topic:
            self._rows.clear()
            self._size = 0
            self.on_lost()


def _ignore() -> None:
    """Before anybody has said what is to be done."""
