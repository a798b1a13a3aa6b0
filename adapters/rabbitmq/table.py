"""A table kept by a stream; see `cluster/table.py`.

Streams are not compacted by key, but end by time. So a row lives for `lifetime` seconds, and who wants it longer swaps
it for itself. A node that starts reads the records of that time: a row that lives is among them. What it sees first may
be a swap that was lost against one before that time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from txsocketio.adapters.rabbitmq.history import Record
from txsocketio.adapters.rabbitmq.stream import Stream
from txsocketio.cluster.table import Change, Table
from txsocketio.errors import BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.adapters.rabbitmq.options import RabbitMQOptions
    from txsocketio.adapters.rabbitmq.publisher import Publisher

#: The headers of a record: the key of the row, the base, the time, whether the row is deleted, and a name of the swap.
KEY, BASE, TIME, DELETED, SWAP = "key", "base", "time", "deleted", "swap"
HEADERS = {KEY: str, BASE: int, TIME: int, DELETED: bool, SWAP: str}


class RabbitMQTable(Table):
    """The rows of one stream.

    Args:
        node: the name of ours.
        lifetime: as of `Table`.

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
        super().__init__(clock, self._write, lifetime, options.max_sessions, options.max_sessions_bytes)
        self.stream = Stream(clock, publisher, options, name, since=lifetime)
        self.stream.on_record = self._read
        self.stream.on_reset = self._reset
        self.is_available = False
        self.on_lost: Callable[[], None] = lambda: None
        self._node = node
        self._count = 0

    def get(self, key: str) -> Deferred[bytes | None]:
        """Fires with the row, None when there is none. It can be late by the moment that a record takes to come here.

        Where there is none, it is made sure that there was none when this was called. That can fail with
        BrokerUnavailable.
        """
        value = self.value(key)
        if value is not None:
            return succeed(value)
        return self.stream.latest().addCallback(lambda _: self.value(key))

    def set_available(self, is_available: bool) -> None:
        """The broker has come or gone: then nobody waits for it any more."""
        self.is_available = is_available
        if not is_available:
            self.give_up("RabbitMQ is away")

    def _write(self, key: str, base: int, value: bytes | None) -> tuple[str, Deferred[None]]:
        if not self.is_available:
            raise BrokerUnavailable("RabbitMQ is away")
        self._count += 1
        name = f"{self._node}{self._count}"
        headers = {KEY: key, BASE: base, TIME: int(self._clock.seconds()), DELETED: value is None, SWAP: name}
        return name, self.stream.append(value or b"", headers)

    def _read(self, record: Record) -> None:
        headers = record.headers
        if all(isinstance(headers.get(name), kind) for name, kind in HEADERS.items()):
            value = None if headers[DELETED] else record.body
            self.read(Change(headers[KEY], record.offset, headers[BASE], value, headers[TIME], headers[SWAP]))

    def _reset(self) -> None:
        self.clear()
        self.on_lost()
