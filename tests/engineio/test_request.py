"""The head of a request, as the application sees it."""

from __future__ import annotations

import pytest

from txsocketio.engineio.request import HTTPRequest, parse_fields, parse_query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "2"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=a", {"": "a"}),
        ("a=b=c", {"a": "b=c"}),
        ("&&a=1&", {"a": "1"}),
        ("a=1+2%2B3", {"a": "1 2+3"}),
        ("%61=%C3%A4", {"a": "\u00e4"}),
        ("a=%", {"a": "%"}),
        ("a=%zz", {"a": "%zz"}),
        ("a=%ff", {"a": "\ufffd"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        ("__proto__=1", {"__proto__": "1"}),
    ],
)
def test_query(text: str, query: dict[str, str]) -> None:
    """Of equal keys the last one counts; nothing that a client writes is an error."""
    assert parse_query(text) == query


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        ([], {}),
        ([b"Host: a"], {b"host": b"a"}),
        ([b"HOST:a", b"X-Custom:\t b \t"], {b"host": b"a", b"x-custom": b"b"}),
        ([b"A: b: c"], {b"a": b"b: c"}),
        ([b"A:"], {b"a": b""}),
        ([b"A: \xe4"], {b"a": b"\xe4"}),
        ([b"A"], None),
        ([b": b"], None),
        ([b"A : b"], None),
        ([b" A: b"], None),
        ([b"A: b", b"a: c"], None),
        ([b"Host: a", b"host: a"], None),
        ([b"\xe4: b"], None),
        ([b"A\x00: b"], None),
        ([b""], None),
    ],
)
def test_fields(lines: list[bytes], fields: dict[bytes, bytes] | None) -> None:
    """What is not one plain field a line is left to somebody else."""
    assert parse_fields(lines) == fields


@pytest.fixture
def request_() -> HTTPRequest:
    fields = {b"host": b"a", b"x-custom": "\u00e4".encode("latin-1"), b"cookie": b"a=1; b=2"}
    return HTTPRequest("GET", "/engine.io/?a=1&b=%20#c", fields, ("192.0.2.1", True))


def test_headers_are_a_mapping_in_any_case(request_: HTTPRequest) -> None:
    headers = request_.headers
    assert headers["X-CUSTOM"] == headers["x-custom"] == "\u00e4"
    assert dict(headers) == {"host": "a", "x-custom": "\u00e4", "cookie": "a=1; b=2"}
    assert len(headers) == 3 and "HOST" in headers and headers.get("Nothing") is None
    assert "\u20ac" not in headers
    assert repr(headers).startswith("Headers({'host': 'a'")


def test_what_was_forgotten_is_parsed_again(request_: HTTPRequest) -> None:
    """A client keeps its request for as long as it lives, but not all its forms."""
    before = dict(request_.headers), request_.query, request_.address, request_.secure
    request_.forget()
    assert (dict(request_.headers), request_.query, request_.address, request_.secure) == before


def test_peer_is_asked_once_and_only_if_somebody_wants_to_know() -> None:
    asked: list[None] = []

    def peer() -> tuple[str, bool]:
        asked.append(None)
        return "192.0.2.1", False

    request = HTTPRequest("GET", "/", {}, peer)
    assert asked == []
    assert (request.address, request.address, request.secure) == ("192.0.2.1", "192.0.2.1", False)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("connection", "upgrade", "is_upgrade"),
    [
        (b"Upgrade", b"websocket", True),
        (b"keep-alive, Upgrade", b"websocket", True),
        (b"upgrade", b"h2c", True),
        (b"Upgrade", None, False),
        (b"keep-alive", b"websocket", False),
        (None, b"websocket", False),
    ],
)
def test_upgrade(connection: bytes | None, upgrade: bytes | None, is_upgrade: bool) -> None:
    given = {b"connection": connection, b"upgrade": upgrade}
    fields = {name: value for name, value in given.items() if value is not None}
    assert HTTPRequest("GET", "/", fields, ("", False)).is_upgrade is is_upgrade


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "spoofed, 203.0.113.9", "203.0.113.9"),
        (2, "spoofed, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (3, "203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (1, "", "192.0.2.1"),
        (1, "  2001:db8::1  ", "2001:db8::1"),
    ],
)
def test_address_behind_proxies(proxies: int, forwarded: str, address: str) -> None:
    """Counted from the end: what the client itself wrote stands in front of it."""
    request = HTTPRequest("GET", "/", {b"x-forwarded-for": forwarded.encode()}, ("192.0.2.1", False))
    request.forwarded(proxies)
    assert request.address == address


@pytest.mark.parametrize(("protocol", "secure"), [(b"https", True), (b"HTTPS", True), (b"wss", True), (b"http", False)])
def test_protocol_behind_proxies(protocol: bytes, secure: bool) -> None:
    request = HTTPRequest("GET", "/", {b"x-forwarded-proto": protocol}, ("192.0.2.1", not secure))
    request.forwarded(1)
    assert request.secure is secure


def test_protocol_that_no_proxy_tells() -> None:
    request = HTTPRequest("GET", "/", {}, ("192.0.2.1", True))
    request.forwarded(1)
    assert (request.address, request.secure) == ("192.0.2.1", True)
