"""The options of the Socket.IO server, on top of those of its Engine.IO server."""

from __future__ import annotations

from dataclasses import dataclass

from txsocketio.engineio.options import EngineOptions, option


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
    connect_timeout: float = option(
        45.0, "Seconds that a client has to join a namespace, also after it has left its last one; then it is closed."
    )
    middleware_timeout: float = option(
        30.0, "Seconds that the middlewares of a namespace may take for one client, and the functions given to `of`."
    )
    ack_timeout: float | None = option(
        None, "Seconds that `call` waits for an answer when `timeout` says nothing else; until the client is gone."
    )
    max_namespaces: int = option(64, "How many namespaces one client may join.")
    max_namespace_length: int = option(255, "The longest name of a namespace that a client may ask for, in characters.")
    max_dynamic_namespaces: int = option(
        10_000, "How many namespaces clients may bring into being, of all those that patterns and functions allow."
    )
    cleanup_empty_child_namespaces: bool = option(
        False, "Whether such a namespace is forgotten when its last client has left, with what was registered on it."
    )
    max_attachments: int = option(10, "How many binary attachments one packet of a client may have.")
    max_attachments_size: int | None = option(
        None, "Bytes that the attachments of one packet may have together; ten times max_http_buffer_size by default."
    )
    attachments_timeout: float = option(60.0, "Seconds that a client has to send all attachments of a packet.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("connect_timeout", "middleware_timeout", "attachments_timeout"):
            self.require(getattr(self, name) > 0, name, "must be a positive number of seconds")
        self.require(self.ack_timeout is None or self.ack_timeout > 0, "ack_timeout", "must be positive, or None")
        for name in ("max_namespaces", "max_namespace_length", "max_dynamic_namespaces", "max_attachments"):
            self.require(getattr(self, name) > 0, name, "must be a positive number")
        self.require(self.attachments_limit > 0, "max_attachments_size", "must be a positive number, or None")

    @property
    def attachments_limit(self) -> int:
        """Bytes that the attachments of one packet may have together."""
        if self.max_attachments_size is None:
            return 10 * self.max_http_buffer_size
        return self.max_attachments_size
