"""The client of python-socketio, for servers in other processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import socketio

from txsocketio.types import Json


@contextmanager
def connected(
    url: str, reconnection: bool = False, session: object = None, serializer: object = "default", **options: object
) -> Iterator[Json]:
    """A connected client; end the block before the server, or the client leaves its socket to the garbage collector."""
    client = socketio.Client(
        reconnection=reconnection,
        reconnection_delay=0.05,
        randomization_factor=0,
        http_session=session,
        serializer=serializer,
    )
    client.connect(url, wait_timeout=5, **options)
    try:
        yield client
    finally:
        client.reconnection = False  # or one that has only just come back goes on for ever
        client.shutdown()
