"""Writing to the socket at once."""

from __future__ import annotations

from typing import Any


class DirectWriter:
    """For a protocol whose transport is plain TCP: what can leave at once is written at once.

    Twisted keeps a write for the next turn of the reactor, with two more system calls: an echo costs 14.3 us that way
    and 9.4 this way, a delivery of a broadcast 9.7 and 3.8 (Python 3.11; benchmarks, echo and broadcast).
    """

    transport: Any

    def write(self, data: bytes) -> None:
        """Write bytes behind all that was written before. Hot path."""
        transport = self.transport
        if transport.dataBuffer or transport._tempDataBuffer:
            return transport.write(data)  # type: ignore[no-any-return]
        try:
            sent = transport.socket.send(data)
        except OSError:
            sent = 0  # nothing fits, or the client is gone: Twisted will find out which
        if sent < len(data):
            transport.write(data[sent:])
