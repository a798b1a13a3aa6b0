"""Which pages may talk to the server, and how their browsers are told.

A page of the server's own origin always may, and so may whatever is not a page (no Origin). Everything else needs
`cors_allowed_origins`; it is refused for WebSocket too, which browsers themselves do not restrict.
Source: Fetch standard, "CORS protocol"; the field order is that of the reference server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from twisted.logger import Logger

from txsocketio.engineio.exchange import Field
from txsocketio.errors import OptionError

if TYPE_CHECKING:
    from txsocketio.engineio.options import EngineOptions
    from txsocketio.engineio.request import HTTPRequest
    from txsocketio.types import Json

log = Logger()

DEFAULT_METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE"
KEYS = ("origin", "credentials", "methods", "allowed_headers", "exposed_headers", "max_age")

#: Refused origins that are remembered as already logged.
MAX_LOGGED = 1000


class CORS:
    """The rule of one engine.

    Raises:
        OptionError: the `cors` table has a key that is not known, or an allowed origin is none.
    """

    def __init__(self, options: EngineOptions) -> None:
        table: Mapping[str, Json] = options.cors or {}
        for key in table:
            if key not in KEYS:
                raise OptionError(f"cors has no {key!r}; there are {', '.join(KEYS)}")
        self._origins = _checked(table.get("origin", options.cors_allowed_origins))
        self.is_configured = self._origins is not None
        self._credentials = bool(table.get("credentials", False))
        self._methods = _joined(table.get("methods", DEFAULT_METHODS))
        self._allowed_headers = _joined(table.get("allowed_headers"))
        self._exposed_headers = _joined(table.get("exposed_headers"))
        self._max_age = table.get("max_age")
        self._logged: set[bytes] = set()

    def allows(self, request: HTTPRequest) -> bool:
        """Whether the page that sent the request may; the first refusal of an origin is logged."""
        origin = request.fields.get(b"origin")
        if origin is None or self._is_own(origin, request) or self._is_listed(origin.decode("latin-1")):
            return True
        if origin not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add(origin)
            log.warn(
                "Refused the origin {origin!r}: allow it with cors_allowed_origins", origin=origin.decode("latin-1")
            )
        return False

    def _is_own(self, origin: bytes, request: HTTPRequest) -> bool:
        return origin.partition(b"://")[2].lower() == request.fields.get(b"host", b"").lower() != b""

    def _is_listed(self, origin: str) -> bool:
        allowed = self._origins
        if isinstance(allowed, (str, re.Pattern)):
            return _fits(allowed, origin)
        if callable(allowed):
            return _asked(allowed, origin)
        return any(_fits(each, origin) for each in allowed or ())

    def fields(self, request: HTTPRequest) -> list[Field]:
        """What every answer to the request tells the browser."""
        origin = request.fields.get(b"origin")
        if not self.is_configured:
            return []
        if self._origins == "*" and not self._credentials:
            fields = [(b"Access-Control-Allow-Origin", b"*")]
        else:
            fields = [(b"Access-Control-Allow-Origin", origin)] if origin is not None and self.allows(request) else []
            fields.append((b"Vary", b"Origin"))
        if self._credentials:
            fields.append((b"Access-Control-Allow-Credentials", b"true"))
        if self._exposed_headers:
            fields.append((b"Access-Control-Expose-Headers", self._exposed_headers))
        return fields

    def preflight(self, request: HTTPRequest) -> list[Field]:
        """What the answer carries besides to the browser's question before a request that is not simple."""
        fields = [(b"Access-Control-Allow-Methods", self._methods)]
        asked = request.fields.get(b"access-control-request-headers", b"")
        if self._allowed_headers or asked:
            fields.append((b"Access-Control-Allow-Headers", self._allowed_headers or asked))
        if self._max_age is not None:
            fields.append((b"Access-Control-Max-Age", str(self._max_age).encode()))
        return fields


def _checked(given: Json) -> Json:
    """The origins that were given, if they can be any."""
    if given is None or callable(given):
        return given
    for origin in given if isinstance(given, Collection) and not isinstance(given, str) else (given,):
        if not isinstance(origin.pattern if isinstance(origin, re.Pattern) else origin, str):
            raise OptionError(
                f"an allowed origin must be text or a compiled regular expression of text, not {origin!r}"
            )
    return given


def _fits(allowed: str | re.Pattern[str], origin: str) -> bool:
    if isinstance(allowed, str):
        return allowed in ("*", origin)
    return allowed.search(origin) is not None


def _asked(allowed: Callable[[str], Json], origin: str) -> bool:
    try:
        return bool(allowed(origin))
    except Exception:  # noqa: BLE001 - a border, the application's code
        log.failure("cors_allowed_origins could not tell whether {origin!r} is allowed", origin=origin)
        return False


def _joined(value: Json) -> bytes:
    if value is None:
        return b""
    return (value if isinstance(value, str) else ",".join(value)).encode("latin-1")
