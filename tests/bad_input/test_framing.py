"""Requests whose end two servers could see in different places (RFC 9112, 11.2): a proxy in front must not be deceived.

Each is refused, or has one clear meaning; then the connection ends, so that nothing behind it is taken for a request.
"""

from __future__ import annotations

import pytest

from tests.bad_input.serving import Serving, check_echo
from tests.bad_input.table import rows
from tests.sessions import POLLING

#: A second request, hidden in what may be a body.
HIDDEN = b"POST " + POLLING.encode() + b"&sid=SID HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n1"


def post(*lines: bytes, body: bytes) -> bytes:
    head = b"POST " + POLLING.encode() + b"&sid=SID HTTP/1.1\r\nHost: test\r\n"
    return head + b"\r\n".join([*lines, b"", b""]) + body


ROWS = rows(
    (
        "both length and chunks",
        post(b"Content-Length: 1", b"Transfer-Encoding: chunked", body=b"1\r\n3\r\n0\r\n\r\n" + HIDDEN),
    ),
    ("both chunks and length", post(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=b"0\r\n\r\n3" + HIDDEN)),
    ("two lengths", post(b"Content-Length: 1", b"Content-Length: 200", body=b"3" + HIDDEN)),
    ("equal lengths in one field", post(b"Content-Length: 1, 1", body=b"3" + HIDDEN)),
    ("two codings", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", body=b"0\r\n\r\n" + HIDDEN)),
    ("space before the colon", post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + HIDDEN)),
    ("vertical tab in the coding", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + HIDDEN)),
    ("signed length", post(b"Content-Length: +1", body=b"3" + HIDDEN)),
    ("negative length", post(b"Content-Length: -1", body=b"3" + HIDDEN)),
    ("underscored length", post(b"Content-Length: 1_0", body=b"3" + HIDDEN)),
    ("hexadecimal length", post(b"Content-Length: 0x1", body=b"3" + HIDDEN)),
    ("length in other digits", post("Content-Length: ¹".encode(), body=b"3" + HIDDEN)),
    ("no length", post(b"Content-Length:", body=b"3" + HIDDEN)),
    ("signed chunk", post(b"Transfer-Encoding: chunked", body=b"+1\r\n3\r\n0\r\n\r\n" + HIDDEN)),
    ("0x chunk", post(b"Transfer-Encoding: chunked", body=b"0x1\r\n3\r\n0\r\n\r\n" + HIDDEN)),
    ("underscored chunk", post(b"Transfer-Encoding: chunked", body=b"1_0\r\n3\r\n0\r\n\r\n" + HIDDEN)),
    ("space in a chunk's size", post(b"Transfer-Encoding: chunked", body=b" 1\r\n3\r\n0\r\n\r\n" + HIDDEN)),
    ("chunk too short", post(b"Transfer-Encoding: chunked", body=b"1\r\n33\r\n0\r\n\r\n" + HIDDEN)),
    ("chunk ends in LF", post(b"Transfer-Encoding: chunked", body=b"1\n3\n0\n\n" + HIDDEN)),
    ("chunk of no size", post(b"Transfer-Encoding: chunked", body=b"\r\n3\r\n0\r\n\r\n" + HIDDEN)),
    ("line of a chunk without an end", post(b"Transfer-Encoding: chunked", body=b"1;" + b"a" * 100_000)),
    ("trailers without an end", post(b"Transfer-Encoding: chunked", body=b"0\r\n" + b"A: b\r\n" * 50_000)),
)


@pytest.mark.parametrize("sent", ROWS)
async def test_ambiguous_framing(server: Serving, sent: bytes) -> None:
    """The hidden request, which would end the session, is never obeyed."""
    polling = await server.polling()
    await polling.join()
    wire = await server.wire()
    wire.send(sent.replace(b"SID", polling.target[-20:].encode()))
    received = await wire.read_to_end()
    assert received[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 413", b"HTTP/1.1 501", b"")
    assert received.count(b"HTTP/1.1") <= 1
    await check_echo(polling)


HEADS = rows(
    ("lines end in LF", b"GET " + POLLING.encode() + b" HTTP/1.1\nHost: test\n\n"),
    ("first field is folded", b"GET " + POLLING.encode() + b" HTTP/1.1\r\n Host: test\r\n\r\n"),
    ("field without a colon", b"GET " + POLLING.encode() + b" HTTP/1.1\r\nHost: test\r\nX\r\n\r\n"),
    ("field without a name", b"GET " + POLLING.encode() + b" HTTP/1.1\r\nHost: test\r\n: x\r\n\r\n"),
    ("NUL in a name", b"GET " + POLLING.encode() + b" HTTP/1.1\r\nHost: test\r\nX\x00: x\r\n\r\n"),
    ("version 2.0", b"GET " + POLLING.encode() + b" HTTP/2.0\r\nHost: test\r\n\r\n"),
    ("version 0.9", b"GET " + POLLING.encode() + b"\r\n\r\n"),
    ("no target", b"GET HTTP/1.1\r\nHost: test\r\n\r\n"),
    ("space in the target", b"GET " + POLLING.encode() + b" x HTTP/1.1\r\nHost: test\r\n\r\n"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32) + b"\r\n\r\n"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
)


@pytest.mark.parametrize("sent", HEADS)
async def test_broken_head(server: Serving, sent: bytes) -> None:
    """No session begins, whatever the answer; a client that then goes leaves nothing."""
    wire = await server.wire()
    wire.send(sent)
    await server.check_bystander()
    assert b" 200 " not in bytes(wire.received)
