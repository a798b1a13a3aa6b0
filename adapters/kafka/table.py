"""A table kept in a compacted topic; see `cluster/table.py`.

Compaction leaves the latest record of each key, which may be a swap that was lost. A row that was not swapped for
`lifetime` seconds is thrown away by Kafka too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from txsocketio.cluster.table import Change, Table
from txsocketio.errors import BrokerUnavailable

if TYPE_CHECKING:
    from txsocketio.adapters.kafka.client import KafkaClient, KafkaLog
    from txsocketio.adapters.kafka.reader import Gap, Record

#: The header that names the base of a record, in eight bytes.
BASE = "b"


class KafkaTable(Table):
    """The rows of one topic. To be made before the client is started, which then has read them all.

    Args:
        lifetime, max_rows, max_bytes: as of `Table`.

    Attributes:
        on_lost: called when all rows are lost, because the topic was deleted.
    """

    def __init__(self, client: KafkaClient, topic: str, lifetime: float, max_rows: int, max_bytes: int) -> None:
        super().__init__(client.reactor, self._write, lifetime, max_rows, max_bytes)
        self._client = client
        self._log: KafkaLog = client.log(topic, client.options.table_settings(lifetime), from_the_start=True)
        self._log.on_records = self._read
        self._log.on_gap = self._gap
        self.on_lost: Callable[[], None] = lambda: None

    def get(self, key: str) -> Deferred[bytes | None]:
        """Fires with the row as it was when this was called, or later; None when there was none.

        Fails with:
            BrokerUnavailable: nobody knows.
        """
        return self._log.latest().addCallback(lambda _: self.value(key))

    def lost(self) -> None:
        """The brokers are away: nobody waits for them."""
        self.give_up("Kafka is away")

    def _write(self, key: str, base: int, value: bytes | None) -> tuple[int, Deferred[int]]:
        if not self._client.is_available:
            raise BrokerUnavailable("Kafka is away")
        appended = self._log.append(key.encode(), [(BASE, base.to_bytes(8, "big"))], value)
        return self._log.written, appended

    def _read(self, records: list[Record]) -> None:
        for record in records:
            base = next((value for name, value in record.headers if name == BASE), None)
            if record.key is not None and base is not None:
                key, version = record.key.decode(errors="replace"), record.offset + 1
                number = self._log.number_of(record)
                self.read(Change(key, version, int.from_bytes(base, "big"), record.value, record.time, number))

    def _gap(self, gap: Gap) -> None:
        if gap.is_other_topic:
            self.clear()
            self.on_lost()
