"""The options of the Socket.IO server, on top of those of its Engine.IO server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf

from txsocketio.engineio.options import EngineOptions, Options, option
from txsocketio.protocol.parser import Parser
from txsocketio.types import Json

PARSERS = ("default", "msgpack")


@dataclass(kw_only=True)
class RecoveryOptions(Options):
    """How long, and how much, is kept for clients that come back.

    Raises:
        OptionError: a value is not allowed.
    """

    max_disconnection_duration: float = option(120.0, "Seconds that a client may be away and still be recovered.")
    skip_middlewares: bool = option(
        False, "Whether the middlewares of the namespace are left out for a recovered client."
    )
    max_packets: int = option(100_000, "How many of its latest events a namespace keeps.")
    max_bytes: int = option(
        64_000_000,
        "Bytes that these may have together, 128 for each besides its own; they take two to three times that.",
    )
    max_sessions: int = option(100_000, "How many clients of a namespace may be away and still be recovered.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in ("max_disconnection_duration", "max_packets", "max_bytes", "max_sessions"):
            self.require(0 < getattr(self, each) < inf, each, "must be positive")


@dataclass(kw_only=True)
class ServerOptions(EngineOptions):
    """What a `Server` can be told.

    Raises:
        OptionError: a value is not allowed.
    """

    path: str = option("/socket.io", "Where the server lies below the root of its site.")
    client_path: str | None = option(
        None, "The folder dist/ of the npm package socket.io-client, to be served below `path`; none by default."
    )
    parser: str | Parser = option(
        "default",
        "The encoding of packets, which clients have to use too: default, msgpack (their npm package "
        "socket.io-msgpack-parser), or a parser of your own.",
    )
    adapter: str | Mapping[str, Json] | None = option(
        None,
        "The broker that makes several servers one: a URL like ``redis://localhost:6379/0``, whose query may hold the "
        "options of that broker, or a table of `url` and these. There are :ref:`several <brokers>`; none by default.",
        is_secret=True,
    )
    start_timeout: float = option(
        5.0,
        "Seconds that a client waits to join a namespace that cannot hear of other servers yet; then it is let in.",
    )
    connect_timeout: float = option(
        45.0, "Seconds that a client has to join a namespace, also after it has left its last one; then it is closed."
    )
    max_waiting_events: int = option(
        1000, "How many events of a client may wait for one that waits in a packet middleware; then it is disconnected."
    )
    max_waiting_size: int = option(
        16_000_000, "Bytes of memory that these events may take together; then, too, the client is disconnected."
    )
    max_auth_size: int = option(
        2_000_000,
        "Bytes of memory that the `auth` of a client may take, for all its namespaces together: it is kept as long as "
        "the client is there.",
    )
    ack_timeout: float | None = option(
        None, "Seconds that `call` waits for an answer when `timeout` says nothing else; until the client is gone."
    )
    connection_state_recovery: bool | Mapping[str, Json] = option(
        False,
        "Have clients that were cut off come back as the same sockets, with their rooms, data and the events that they "
        "missed: true, or a table of the options of :ref:`recovery`. Events then get one more argument.",
    )
    max_namespaces: int = option(64, "How many namespaces one client may join.")
    max_namespace_length: int = option(255, "The longest name of a namespace that a client may ask for, in characters.")
    max_dynamic_namespaces: int = option(
        10_000, "How many namespaces clients may bring into being, of all those that patterns and functions allow."
    )
    cleanup_empty_child_namespaces: bool = option(
        False, "Whether such a namespace is forgotten when its last client has left, with what was registered on it."
    )
    max_attachments: int = option(
        10,
        "How many binary attachments one packet may have, either way: a client that sends more is closed, and to emit "
        "more is an error, since the JavaScript client takes no more than 10 and would close the connection.",
    )
    max_attachments_size: int | None = option(
        None, "Bytes that the attachments of one packet may have together; ten times max_http_buffer_size by default."
    )
    attachments_timeout: float = option(60.0, "Seconds that a client has to send all attachments of a packet.")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(
            self.parser in PARSERS or (isinstance(self.parser, Parser) and not isinstance(self.parser, type)),
            "parser",
            f"must be one of {', '.join(PARSERS)}, or have the methods encode and decoder",
        )
        for name in ("start_timeout", "connect_timeout", "attachments_timeout"):
            self.require(0 < getattr(self, name) < inf, name, "must be a positive number of seconds")
        self.require(self.ack_timeout is None or self.ack_timeout > 0, "ack_timeout", "must be positive, or None")
        for name in (
            "max_namespaces",
            "max_namespace_length",
            "max_dynamic_namespaces",
            "max_attachments",
            "max_waiting_events",
            "max_waiting_size",
            "max_auth_size",
        ):
            self.require(getattr(self, name) > 0, name, "must be a positive number")
        self.require(self.attachments_limit > 0, "max_attachments_size", "must be a positive number, or None")
        self.require(
            isinstance(self.connection_state_recovery, bool | Mapping),
            "connection_state_recovery",
            "must be true, false or a table",
        )
        _ = self.recovery

    @cached_property
    def recovery(self) -> RecoveryOptions | None:
        """The options of connection state recovery; None when it is off."""
        given = self.connection_state_recovery
        if isinstance(given, bool):
            return RecoveryOptions() if given else None
        return RecoveryOptions.of(given)

    @property
    def attachments_limit(self) -> int:
        """Bytes that the attachments of one packet may have together."""
        if self.max_attachments_size is None:
            return 10 * self.max_http_buffer_size
        return self.max_attachments_size
