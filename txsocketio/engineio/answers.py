"""The answers to requests, and what each of them carries besides: CORS, the application's fields, the cookie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from txsocketio.engineio.compression import compress
from txsocketio.engineio.cors import CORS
from txsocketio.engineio.exchange import Field
from txsocketio.engineio.listeners import overridden, sendable, tell
from txsocketio.errors import OptionError
from txsocketio.protocol.json_codec import dumps

if TYPE_CHECKING:
    from txsocketio.engineio.exchange import Exchange, Fields
    from txsocketio.engineio.options import EngineOptions
    from txsocketio.engineio.request import HTTPRequest
    from txsocketio.errors import Refusal
    from txsocketio.types import Handler, Json

TEXT: Field = (b"Content-Type", b"text/plain; charset=UTF-8")
HTML: Field = (b"Content-Type", b"text/html")
JSON: Field = (b"Content-Type", b"application/json")
NO_STORE: Field = (b"Cache-Control", b"no-store")

#: How many bytes a threshold may be.
SIZES = range(1 << 31)

#: Old Internet Explorers, which would look for scripts in a text.
_OLD = (b";MSIE", b"Trident/")
_NO_SNIFFING: Field = (b"X-XSS-Protection", b"0")

#: What is named in the context of a refusal that the reference server does not know; an upgrade gets its JSON too.
_OURS = frozenset(("origin", "limit", "closing"))

_COOKIE_DEFAULTS: Mapping[str, Json] = {"name": "io", "path": "/", "http_only": True, "same_site": "lax"}
_COOKIE_LABELS = {
    "max_age": "Max-Age", "domain": "Domain", "path": "Path",
    "http_only": "HttpOnly", "secure": "Secure", "same_site": "SameSite",
}  # fmt: skip


class Answers:
    """How one engine answers.

    Args:
        options: the engine's.
        listeners: the application's, by event: "headers" and "initial_headers" are asked for fields.
    """

    def __init__(self, options: EngineOptions, listeners: Mapping[str, list[Handler]]) -> None:
        self.cors = CORS(options)
        self._listeners = listeners
        self._compression = table_of(options.http_compression, "http_compression", {"threshold": SIZES})
        self._cookie = _cookie_table(options.cookie)

    def ok(self, exchange: Exchange, kind: Field, body: bytes, may_compress: bool = False) -> None:
        """Answer 200 with a body, compressed if that is allowed, worth it and accepted."""
        request = exchange.request
        fields = [kind]
        if may_compress and self._compression is not None and len(body) >= self._compression.get("threshold", 1024):
            coded = compress(request.fields.get(b"accept-encoding", b""), body)
            if coded is not None:
                fields.append((b"Content-Encoding", coded[0]))
                body = coded[1]
        fields.append(NO_STORE)
        agent = request.fields.get(b"user-agent", b"")
        if kind is TEXT and any(mark in agent for mark in _OLD):
            fields.append(_NO_SNIFFING)
        self.send(exchange, 200, fields, body)

    def send(
        self, exchange: Exchange, status: int, fields: Fields = (), body: bytes = b"", close: bool = False
    ) -> None:
        """Answer with what every answer carries, and the fields."""
        exchange.respond(status, self.fields(exchange, fields), body, close)

    def refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        """Answer with an error; an upgrade gets the bare text, and 400, as from the reference server."""
        request = exchange.request
        for listener in self._listeners["connection_error"]:
            tell(listener, request, refusal)
        if request.is_upgrade and _OURS.isdisjoint(refusal.context):
            self.send(exchange, 400, [HTML], refusal.message.encode(), close=True)
        else:
            body = dumps({"code": refusal.code, "message": refusal.message})
            self.send(exchange, refusal.status, [JSON], body, close=request.is_upgrade)

    def fields(self, exchange: Exchange, ours: Fields) -> list[Field]:
        """All that an answer carries; what the application gives takes the place of what is ours."""
        fields = [*self.cors.fields(exchange.request), *ours]
        if exchange.extra:
            fields = overridden(fields, exchange.extra)
        if self._listeners["headers"]:
            fields = overridden(fields, self._asked("headers", exchange.request))
        return fields

    def first_fields(self, request: HTTPRequest) -> list[Field]:
        """What the first answer of a session carries besides."""
        return self._asked("initial_headers", request) if self._listeners["initial_headers"] else []

    def cookie(self, sid: str) -> list[Field]:
        """The cookie with the session's id, if there is to be one."""
        table = self._cookie
        if table is None:
            return []
        parts = [f"{table['name']}={sid}"]
        for key, label in _COOKIE_LABELS.items():
            value = table.get(key)
            if value is True:
                parts.append(label)
            elif value is not None and value is not False:
                parts.append(f"{label}={str(value).capitalize() if key == 'same_site' else value}")
        return [(b"Set-Cookie", "; ".join(parts).encode("latin-1"))]

    def _asked(self, event: str, request: HTTPRequest) -> list[Field]:
        headers: dict[str, str] = {}
        for listener in self._listeners[event]:
            tell(listener, headers, request)
        return sendable(headers.items())


def table_of(given: Json, name: str, keys: Mapping[str, range | None]) -> Mapping[str, Json] | None:
    """The table of an option that may also be a boolean; None when it is off.

    Args:
        keys: what it may have, with the numbers that are allowed.

    Raises:
        OptionError: the table has a key that is not among `keys`, or a number that is not allowed.
    """
    if given is False or given is None:
        return None
    table: Mapping[str, Json] = {} if given is True else given
    for key, value in table.items():
        if key not in keys:
            raise OptionError(f"{name} has no {key!r}; there are {', '.join(keys)}")
        allowed = keys[key]
        if allowed is not None and (value.__class__ is not int or value not in allowed):
            raise OptionError(
                f"{key} of {name} must be a whole number from {allowed[0]} to {allowed[-1]}, not {value!r}"
            )
    return table


def _cookie_table(given: Json) -> Mapping[str, Json] | None:
    keys = dict.fromkeys(("name", *_COOKIE_LABELS))
    table = table_of({"name": given} if isinstance(given, str) else given, "cookie", keys)
    return None if table is None else {**_COOKIE_DEFAULTS, **table}
