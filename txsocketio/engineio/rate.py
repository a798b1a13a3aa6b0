"""How much one client may send in a second; beyond it the session ends.

Only an engine with the option `rate_limit` makes sessions of this kind, so the others do nothing for it. Each limit is
a bucket that is full at first, holds `burst` seconds of what is allowed, and is refilled at that rate when it is used:
no timer is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING

from twisted.logger import Logger

from txsocketio.engineio.answers import table_of
from txsocketio.engineio.log_pause import LogPause
from txsocketio.engineio.session import OPEN, RATE_LIMIT, Session
from txsocketio.errors import OptionError
from txsocketio.protocol.engineio import MESSAGE

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from txsocketio.engineio.engine import Engine
    from txsocketio.engineio.options import EngineOptions
    from txsocketio.engineio.request import HTTPRequest
    from txsocketio.types import Json

log = Logger()

KEYS = dict.fromkeys(("messages", "bytes", "burst"))
BURST = 2.0


class Rate:
    """What the option `rate_limit` says.

    Attributes:
        messages: how many come back to their bucket in a second.
        bytes: the same for bytes.
        most_messages: how many the bucket holds; at least one.
        most_bytes: the same for bytes; the largest message that is allowed always fits in.
        pause: between two lines in the log about clients who send more.

    Raises:
        OptionError: the table has an unknown key, or a value that is not a positive number.
    """

    __slots__ = ("bytes", "messages", "most_bytes", "most_messages", "pause")

    def __init__(self, options: EngineOptions, clock: IReactorTime) -> None:
        table: Mapping[str, Json] = table_of(options.rate_limit, "rate_limit", KEYS) or {}
        for key, value in table.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < inf:
                raise OptionError(f"{key} of rate_limit must be a positive number, not {value!r}")
        burst: float = table.get("burst", BURST)
        self.messages: float = table.get("messages", 0.0)
        self.bytes: float = table.get("bytes", 0.0)
        self.most_messages: float = max(1.0, self.messages * burst) if self.messages else inf
        self.most_bytes: float = max(options.max_http_buffer_size, self.bytes * burst) if self.bytes else inf
        self.pause = LogPause(clock)


class LimitedSession(Session):
    """A session that ends when its client sends more than it may."""

    __slots__ = ("_bytes", "_listener", "_messages", "_rate", "_since")

    def __init__(self, engine: Engine, sid: str, request: HTTPRequest, rate: Rate) -> None:
        self._rate = rate
        self._messages, self._bytes = rate.most_messages, rate.most_bytes
        self._since: float = engine.clock.seconds()
        super().__init__(engine, sid, request)

    @property
    def on_message(self) -> Callable[[str | bytes], None]:
        """Called with each message that the client may send."""
        return self._listener

    @on_message.setter
    def on_message(self, listener: Callable[[str | bytes], None]) -> None:
        self._listener = listener
        self.deliver = self._count_message if self.state is OPEN else listener

    def _count_message(self, data: str | bytes) -> None:
        if self._may_send(size_of(data)):
            self._listener(data)

    def receive(self, packet: str | bytes) -> None:
        # A message counts when it is delivered.
        if packet.__class__ is bytes or packet[:1] == MESSAGE or self._may_send(size_of(packet)):
            super().receive(packet)

    def count(self, size: int) -> None:
        self._may_send(size)

    def _may_send(self, size: int) -> bool:
        """Take a packet of that size out of the buckets; the session ends when too little is left."""
        if self.state is not OPEN:
            return True
        rate = self._rate
        now = self.engine.clock.seconds()
        elapsed = max(0.0, now - self._since)  # the clock may have been set back
        self._since = now
        self._messages = min(rate.most_messages, self._messages + elapsed * rate.messages) - 1
        self._bytes = min(rate.most_bytes, self._bytes + elapsed * rate.bytes) - size
        if self._messages >= 0 and self._bytes >= 0:
            return True
        what = "messages" if self._messages < 0 else "bytes"
        if rate.pause.is_over():
            log.warn("A client from {address} sends too many {what}", address=self.request.address, what=what)
        self.ended(RATE_LIMIT, f"too many {what}")
        return False


def size_of(data: str | bytes) -> int:
    """How many bytes it was on the wire."""
    return len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode())
