"""A table kept in a compacted topic: the row of a key is the latest record with that key, and every node has it all.

Kafka cannot compare and set. But all nodes see the same order: who writes what they read with the same key, and waits
until it is read back, knows who was first, as all the others do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from txsocketio.adapters.kafka_client import KafkaClient, KafkaLog
    from txsocketio.adapters.kafka_outbox import Headers
    from txsocketio.adapters.kafka_reader import Gap, Record


class KafkaTable:
    """The rows of one topic, in memory. To be made before the client is started, which then has read them all.

    Args:
        lifetime: seconds after which a row that was not written again may be gone.
        max_rows: how many are kept; of more those that were written the longest ago are forgotten here.
        max_bytes: of all their keys and values together; likewise.

    Attributes:
        on_row: told of each record of the topic in its order, when the row is already what it says.
    """

    def __init__(self, client: KafkaClient, topic: str, lifetime: float, max_rows: int, max_bytes: int) -> None:
        self._log: KafkaLog = client.log(topic, client.options.table_settings(lifetime), from_the_start=True)
        self._log.on_records = self._read
        self._log.on_gap = self._lost
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._rows: dict[bytes, bytes] = {}  # what was written last is at the end
        self._size = 0
        self.on_row: Callable[[Record], None] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: bytes) -> bytes | None:
        """The row, as far as the topic has been read; None when there is none."""
        return self._rows.get(key)

    def put(self, key: bytes, value: bytes, headers: Headers | None = None) -> Deferred[int]:
        """Write a row; fires with its position, as `KafkaLog.append`. It can be got when it has been read back."""
        return self._log.append(key, headers or [], value)

    def delete(self, key: bytes, headers: Headers | None = None) -> Deferred[int]:
        """Delete a row, as `put`."""
        return self._log.append(key, headers or [], None)

    def _read(self, records: list[Record]) -> None:
        for record in records:
            if record.key is not None:
                self._set(record.key, record.value)
                if self.on_row is not None:
                    self.on_row(record)

    def _set(self, key: bytes, value: bytes | None) -> None:
        self._forget(key)
        if value is not None:
            self._rows[key] = value
            self._size += len(key) + len(value)
            while len(self._rows) > self._max_rows or self._size > self._max_bytes:
                self._forget(next(iter(self._rows)))

    def _forget(self, key: bytes) -> None:
        value = self._rows.pop(key, None)
        if value is not None:
            self._size -= len(key) + len(value)

    def _lost(self, gap: Gap) -> None:
        if gap.is_other_topic:
            self._rows.clear()
            self._size = 0
