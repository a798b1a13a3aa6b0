"""Rows 1-12 and 30-32: single HTTP requests that begin no session."""

from __future__ import annotations

import pytest

from tests.bad_input.serving import Serving
from tests.bad_input.table import BAD_REQUEST, UNKNOWN_SID, Answer, answer, read_answer, refused, rows
from tests.sessions import POLLING, WEBSOCKET
from tests.wire import request

UNKNOWN_TRANSPORT = refused(0, "Transport unknown")
BAD_METHOD = refused(2, "Bad handshake method")
UNSUPPORTED = refused(5, "Unsupported protocol version")

ROWS = rows(
    ("1 no transport", request("GET", "/socket.io/?EIO=4"), UNKNOWN_TRANSPORT),
    ("1 no query", request("GET", "/socket.io/"), UNKNOWN_TRANSPORT),
    ("2 unknown transport", request("GET", "/socket.io/?EIO=4&transport=flash"), UNKNOWN_TRANSPORT),
    ("2 __proto__", request("GET", "/socket.io/?EIO=4&transport=__proto__"), UNKNOWN_TRANSPORT),
    ("2 constructor", request("GET", "/socket.io/?EIO=4&transport=constructor"), UNKNOWN_TRANSPORT),
    ("2 __class__", request("GET", "/socket.io/?EIO=4&transport=__class__"), UNKNOWN_TRANSPORT),
    ("2 webtransport", request("GET", "/socket.io/?EIO=4&transport=webtransport"), UNKNOWN_TRANSPORT),
    ("3 no EIO", request("GET", "/socket.io/?transport=polling"), UNSUPPORTED),
    ("3 EIO=3", request("GET", "/socket.io/?EIO=3&transport=polling"), UNSUPPORTED),
    ("3 EIO=5", request("GET", "/socket.io/?EIO=5&transport=polling"), UNSUPPORTED),
    ("3 EIO=4&EIO=3", request("GET", "/socket.io/?EIO=4&EIO=3&transport=polling"), UNSUPPORTED),
    ("4 unknown sid", request("GET", POLLING + "&sid=abc"), UNKNOWN_SID),
    ("4 sid=__proto__", request("GET", POLLING + "&sid=__proto__"), UNKNOWN_SID),
    ("4 unknown sid, POST", request("POST", POLLING + "&sid=abc", b"40"), UNKNOWN_SID),
    ("5 POST", request("POST", POLLING, b"40"), BAD_METHOD),
    ("5 PUT", request("PUT", POLLING, b""), BAD_METHOD),
    ("5 DELETE", request("DELETE", POLLING), BAD_METHOD),
    ("5 OPTIONS", request("OPTIONS", POLLING), BAD_METHOD),
    ("5 HEAD", request("HEAD", POLLING), answer(400, b"", "application/json")),
    ("5 PATCH", request("PATCH", POLLING, b""), BAD_METHOD),
    ("5 unknown method", request("FROBNICATE", POLLING), BAD_METHOD),
    ("6 websocket without upgrade", request("GET", WEBSOCKET), BAD_REQUEST),
    ("30 script", request("GET", "/socket.io/evil.js"), UNKNOWN_TRANSPORT),
    ("30 way up", request("GET", "/socket.io/../x"), UNKNOWN_TRANSPORT),
    ("30 escaped way up", request("GET", "/socket.io/%2e%2e/%2e%2e/etc/passwd"), UNKNOWN_TRANSPORT),
    ("32b broken escape in sid", request("GET", POLLING + "&sid=%E0%A4%A"), UNKNOWN_SID),
)


@pytest.mark.parametrize(("sent", "expected"), ROWS)
async def test_request_is_refused(server: Serving, sent: bytes, expected: Answer) -> None:
    """A request that the protocol does not allow gets its status, its code and its text, and starts nothing."""
    assert read_answer(await server.ask(sent)) == expected


@pytest.mark.parametrize("character", ["\x01", "\x7f", "\x00", "\x0b"])
async def test_control_character_in_origin_is_refused(server: Serving, character: str) -> None:
    """10: whoever sees it first, the HTTP server or the engine, answers 400."""
    response = await server.ask(request("GET", POLLING, headers={"Origin": f"http://a{character}b"}))
    assert response.status == 400


OVERSIZED = rows(
    ("4 sid of a megabyte", request("GET", POLLING + "&sid=" + "a" * 1_000_000)),
    ("32 request line of 100 kB", request("GET", POLLING + "&x=" + "a" * 100_000)),
    ("32 header of 100 kB", request("GET", POLLING, headers={"X": "a" * 100_000})),
    ("32 3000 headers", request("GET", POLLING, headers={f"X-{n}": "a" for n in range(3000)})),
)


@pytest.mark.parametrize("sent", OVERSIZED)
async def test_oversized_head_is_refused(server: Serving, sent: bytes) -> None:
    """The connection ends; the answer may be lost on the way because its reader was still writing."""
    wire = await server.wire()
    wire.send(sent)
    received = await wire.read_to_end()
    assert received[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431", b"")


ELSEWHERE = rows(
    ("32c absolute URI", request("GET", "http://test" + POLLING)),
    ("32c double slash", request("GET", "/" + POLLING)),
    ("no slash", request("GET", POLLING.replace("io/", "iox/"))),
)


@pytest.mark.parametrize("sent", ELSEWHERE)
async def test_other_path_is_left_to_the_site(server: Serving, sent: bytes) -> None:
    """What does not begin with our path is not ours, also when it names it."""
    assert (await server.ask(sent)).status == 404


async def test_http_1_0_is_answered_and_closed(server: Serving) -> None:
    """32c: a client of HTTP/1.0 gets its session, and the end of the connection."""
    wire = await server.wire()
    wire.send(request("GET", POLLING, version="1.0"))
    response = await wire.read_response()
    assert response.status == 200
    assert await wire.read_to_end() == b""
    await server.adopt(response)
