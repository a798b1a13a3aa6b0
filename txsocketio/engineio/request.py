"""One HTTP request, as the checks, the middlewares and the application see it.

A connected client keeps its handshake request for as long as it lives, so only the bytes of the head are kept, and
what is asked of them is parsed when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote_plus

#: Header names that browsers and clients send, already in lower case: one look-up both checks and folds a name.
_KNOWN = {
    spelling: name.lower()
    for name in (
        b"Accept", b"Accept-Encoding", b"Accept-Language", b"Authorization", b"Cache-Control", b"Connection",
        b"Content-Length", b"Content-Type", b"Cookie", b"Expect", b"Host", b"Origin", b"Pragma", b"Referer",
        b"Sec-Fetch-Dest", b"Sec-Fetch-Mode", b"Sec-Fetch-Site", b"Sec-WebSocket-Extensions", b"Sec-WebSocket-Key",
        b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Version", b"Transfer-Encoding", b"Upgrade", b"User-Agent",
        b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto",
    )
    for spelling in (name, name.lower())
}  # fmt: skip

#: RFC 9110, 5.6.2: the characters of a token.
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def parse_fields(lines: list[bytes]) -> dict[bytes, bytes] | None:
    """The header fields by lower-case name, or None when a line is not a plain field or a name comes twice."""
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        low = _KNOWN.get(name)
        if low is None:
            if _TOKEN.fullmatch(name) is None:
                return None
            low = name.lower()
        if not colon or low in fields:
            return None
        fields[low] = value.strip(b" \t")
    return fields


def parse_query(text: str) -> dict[str, str]:
    """The pairs behind the question mark; of equal keys the last one (spec of the reference: no other is ever seen)."""
    query: dict[str, str] = {}
    for pair in text.split("&"):
        if pair:
            key, _, value = pair.partition("=")
            if "%" in pair or "+" in pair:
                key, value = unquote_plus(key), unquote_plus(value)
            query[key] = value
    return query


class Headers(Mapping[str, str]):
    """The header fields of a request, asked for in any case; values are text (Latin-1, as HTTP has it)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[bytes, bytes]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower().encode("latin-1", "replace")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class HTTPRequest:
    """The head of a request.

    Args:
        method: in upper case.
        url: the target as it was sent, with its query.
        fields: the header fields, by lower-case name.
        lines: the raw header lines that they were parsed from, if they are at hand.

    Attributes:
        address: the client's host, "" when it has none (a Unix socket).
        secure: whether it came over TLS.
    """

    __slots__ = ("_fields", "_lines", "_peer", "_query", "method", "url")

    def __init__(
        self,
        method: str,
        url: str,
        fields: dict[bytes, bytes],
        peer: tuple[str, bool] | Callable[[], tuple[str, bool]],
        lines: bytes | None = None,
    ) -> None:
        self.method = method
        self.url = url
        self._fields: dict[bytes, bytes] | None = fields
        self._peer = peer
        self._lines = lines
        self._query: dict[str, str] | None = None

    @property
    def address(self) -> str:
        return self._whence()[0]

    @property
    def secure(self) -> bool:
        return self._whence()[1]

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The header fields as bytes, by lower-case name."""
        if self._fields is None:
            self._fields = parse_fields((self._lines or b"").split(b"\r\n")) or {}
        return self._fields

    @property
    def headers(self) -> Headers:
        return Headers(self.fields)

    @property
    def query(self) -> dict[str, str]:
        if self._query is None:
            self._query = parse_query(self.url.partition("?")[2])
        return self._query

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for another protocol (RFC 9110, 7.8)."""
        fields = self.fields
        return b"upgrade" in fields and b"upgrade" in fields.get(b"connection", b"").lower()

    def find_peer(self) -> None:
        """Ask where it came from: twisted.web no longer knows when it has its answer."""
        self._whence()

    def forget(self) -> None:
        """Keep no more than the raw head and where it came from: an idle client costs that much."""
        if self._lines is None:
            self._lines = b"\r\n".join([b"%b: %b" % field for field in self.fields.items()])
        self._fields = self._query = None

    def forwarded(self, proxies: int) -> None:
        """Believe the last `proxies` proxies about where the request came from."""
        address, secure = self._whence()
        hops = [hop.strip() for hop in self.fields.get(b"x-forwarded-for", b"").decode("latin-1").split(",")]
        if hops[0]:
            address = hops[-min(proxies, len(hops))]
        protocol = self.fields.get(b"x-forwarded-proto", b"").lower()
        self._peer = address, protocol in (b"https", b"wss") if protocol else secure

    def _whence(self) -> tuple[str, bool]:
        if not isinstance(self._peer, tuple):
            self._peer = self._peer()
        return self._peer
