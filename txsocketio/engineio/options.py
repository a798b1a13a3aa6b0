"""The options of the Engine.IO server: the names of the Node server in snake_case, durations in seconds.

Each option carries its documentation, from which the configuration reference is made.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import inf
from typing import TYPE_CHECKING, Any, Self

from txsocketio.errors import OptionError

if TYPE_CHECKING:
    from txsocketio.types import Handler, Json

TRANSPORTS = ("polling", "websocket")

Origins = str | re.Pattern[str] | Sequence[str | re.Pattern[str]] | Callable[[str], bool]

#: What a value must be, by how its option is annotated.
_KINDS: dict[str, tuple[tuple[Any, ...], str]] = {
    "bool": ((bool,), "must be true or false"),
    "int": ((int,), "must be a whole number"),
    "float": ((int, float), "must be a number"),
    "str": ((str,), "must be text"),
    "str | bytes": ((str, bytes), "must be text or bytes"),
    "Sequence[str]": ((Collection,), "must be a list of names"),
    "Mapping[str, Json]": ((Mapping,), "must be a table"),
    "str | Mapping[str, Json]": ((str, Mapping), "must be text or a table"),
    "bool | Mapping[str, int]": ((bool, Mapping), "must be true, false or a table"),
    "bool | str | Mapping[str, Json]": ((bool, str, Mapping), "must be true, false, a name or a table"),
    "Origins": ((str, Collection, re.Pattern, Callable), "must be origins, a pattern or a callable"),
    "Handler": ((Callable,), "must be callable"),
}

DURATIONS = (
    "ping_interval", "ping_timeout", "upgrade_timeout", "close_timeout", "head_timeout", "body_timeout", "idle_timeout",
    "middleware_timeout",
)  # fmt: skip


def option(default: Any, doc: str, *, is_secret: bool = False) -> Any:
    """A field of an options class with its documentation; the value of a secret one is shown nowhere."""
    return field(default=default, repr=not is_secret, metadata={"doc": doc})


@dataclass(kw_only=True)
class Options:
    """Options whose values are checked when they are given."""

    def __post_init__(self) -> None:
        for each in fields(self):
            self._check_kind(each.name, each.type.__name__ if isinstance(each.type, type) else str(each.type))

    def _check_kind(self, name: str, annotation: str) -> None:
        kind = annotation.removesuffix(" | None")
        value = getattr(self, name)
        if kind in _KINDS and not (value is None and kind != annotation):
            types, rule = _KINDS[kind]
            self.require(isinstance(value, types) and (bool in types or value.__class__ is not bool), name, rule)

    def require(self, fact: bool, name: str, rule: str) -> None:
        """Raise an OptionError that names the option and the rule, unless the fact holds."""
        if not fact:
            is_shown = any(each.repr for each in fields(self) if each.name == name)
            raise OptionError(f"{name} {rule}, not {getattr(self, name)!r}" if is_shown else f"{name} {rule}")

    @classmethod
    def of(cls, given: Mapping[str, Json]) -> Self:
        """The options from keywords.

        Raises:
            OptionError: a keyword is unknown; the error names the nearest.
        """
        known = [each.name for each in fields(cls)]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
                raise OptionError(f"unknown option {name!r}{hint}")
        return cls(**given)


@dataclass(kw_only=True)
class EngineOptions(Options):
    """What an `Engine` can be told.

    Raises:
        OptionError: a value is not allowed.
    """

    path: str = option("/engine.io", "Where the server lies below the root of its site.")
    ping_interval: float = option(25.0, "Seconds from a pong (or the start) to the next ping of the server.")
    ping_timeout: float = option(20.0, "Seconds that a client has to answer a ping; then it is closed: ping timeout.")
    upgrade_timeout: float = option(10.0, "Seconds in which an upgrade to WebSocket must be completed.")
    close_timeout: float = option(30.0, "Seconds that a closed long-polling session waits for one more poll.")
    max_http_buffer_size: int = option(
        1_000_000, "The largest message or POST body that is accepted, in bytes; announced to clients as maxPayload."
    )
    max_root_body_size: int | None = option(
        10_000_000,
        "The largest body of a request for what a site of ours serves beside us (the `root` of `Server.site` and "
        "`Server.service`), in bytes; beyond is answered with 413. None for no limit.",
    )
    max_outgoing_buffer: int = option(
        16_000_000, "Bytes that may wait for a client that does not read; beyond it is closed: slow consumer."
    )
    max_connections: int | None = option(
        None, "How many clients are served at a time; a handshake beyond is answered with 503. No limit by default."
    )
    max_connections_per_address: int | None = option(
        None,
        "How many clients one address (of IPv6: one network of 64 bits) may have at a time; a handshake beyond is "
        "answered with 429. No limit by default.",
    )
    rate_limit: Mapping[str, Json] | None = option(
        None,
        "How much a client may send: a table of `messages` and `bytes` for each second (none given: no limit) and "
        "`burst`, for how many seconds (2.0) it may have saved up. Beyond it is closed: rate limit exceeded.",
    )
    transports: Sequence[str] = option(TRANSPORTS, "The transports that are served.")
    allow_upgrades: bool = option(True, "Whether a long-polling session may move to WebSocket.")
    allow_eio3: bool = option(
        False,
        "Whether clients of Engine.IO 3, which are those of Socket.IO 2, are served on the same port. The ids of their "
        "sockets are made of the id of the session, which is a secret: do not show these to other clients.",
    )
    per_message_deflate: bool | Mapping[str, int] = option(
        False,
        "Compress WebSocket messages: true, or a table of `threshold` (bytes, 1024), `window_bits` (9 to 15) and "
        "`mem_level` (1 to 9). Costs memory for each connection and the shared frame of broadcasts.",
    )
    http_compression: bool | Mapping[str, int] = option(
        True, "Compress long-polling answers: false, or a table of `threshold` (bytes, 1024)."
    )
    initial_packet: str | bytes | None = option(None, "A message sent to every client right behind the handshake.")
    cookie: bool | str | Mapping[str, Json] = option(
        False,
        "Set a cookie with the session's id on the first long-polling answer: true, a name, or a table of `name` (io), "
        "`path`, `http_only`, `same_site`, `secure`, `domain`, `max_age` (seconds).",
    )
    cors_allowed_origins: Origins | None = option(
        None,
        "Origins of other sites whose pages may connect: one, a compiled regular expression that is found in them, a "
        "list of both, '*' for all, or a callable. Pages of the server's own origin always may. Checked for WebSocket "
        "too.",
    )
    cors: Mapping[str, Json] | None = option(
        None,
        "More of CORS: a table of `origin` (as cors_allowed_origins), `credentials`, `methods`, `allowed_headers`, "
        "`exposed_headers`, `max_age` (seconds).",
    )
    allow_request: Handler | None = option(
        None,
        "Called with each request that has no session yet: a false result refuses it, ConnectionRefused does so with a "
        "message. May wait.",
    )
    generate_id: Handler | None = option(
        None, "Called with the request of a handshake: gives the session's id, a text that a cookie can hold."
    )
    middleware_timeout: float = option(
        30.0,
        "Seconds that the application may take to decide: `allow_request`, `generate_id` and each middleware of the "
        "engine for one request, the middlewares of a namespace for one client, those of a socket for one event, and "
        "the functions given to `of` for one name. Then the answer is no.",
    )
    trusted_proxies: int = option(
        0, "How many proxies in front are trusted to tell the client's address in X-Forwarded-For."
    )
    head_timeout: float = option(10.0, "Seconds that a connection has to send the whole head of a request.")
    body_timeout: float = option(60.0, "Seconds that a connection has to send the whole body of a request.")
    idle_timeout: float = option(60.0, "Seconds that an idle HTTP connection is kept open for another request.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in DURATIONS:
            self.require(0 < getattr(self, name) < inf, name, "must be a positive number of seconds")
        for name in ("max_http_buffer_size", "max_outgoing_buffer"):
            self.require(getattr(self, name) > 0, name, "must be a positive number of bytes")
        self.require(self.trusted_proxies >= 0, "trusted_proxies", "must not be negative")
        for name in ("max_connections", "max_connections_per_address", "max_root_body_size"):
            limit = getattr(self, name)
            self.require(limit is None or limit > 0, name, "must be a positive number, or None")
        self.require(self.path.startswith("/"), "path", "must begin with a slash")
        if isinstance(self.transports, str):
            self.transports = (self.transports,)
        self.require(
            bool(self.transports) and all(name in TRANSPORTS for name in self.transports),
            "transports",
            f"must be some of {', '.join(TRANSPORTS)}",
        )
