"""Rows 7-9 and 18-26: single requests of a long-polling session."""

from __future__ import annotations

import pytest

from tests.bad_input.serving import Serving, check_echo
from tests.bad_input.table import BAD_REQUEST, EMPTY_400, OK, UNKNOWN_SID, Answer, answer, read_answer, rows
from tests.sessions import SEPARATOR
from tests.wire import request

LIMIT = 1_000_000


def event_of_size(size: int) -> bytes:
    """A message of that many bytes that no listener waits for."""
    head, tail = b'42["unheard","', b'"]'
    return head + b"a" * (size - len(head) - len(tail)) + tail


ENDING_POSTS = rows(
    ("19 octet-stream", b"3", {"Content-Type": "application/octet-stream"}, EMPTY_400, "transport error"),
    ("20 empty body", b"", {}, OK, "parse error"),
    ("21 unknown packet type", b"9abc", {}, OK, "parse error"),
    ("22 ping", b"2", {}, OK, "transport error"),
    ("23 close", b"1", {}, OK, "transport close"),
    ("24 only separators", SEPARATOR * 500_000, {}, OK, "parse error"),
    ("24 good packets, then an empty one", b"3" + SEPARATOR + b"6" + SEPARATOR, {}, OK, "parse error"),
    ("25 invalid UTF-8", b"4\xff\xfe", {}, OK, "parse error"),
    ("25 invalid UTF-8 in an event", b'42["unheard","\xff"]', {}, OK, "parse error"),
    ("26 invalid base64", b"b!!!!", {}, OK, "parse error"),
    ("26 base64 of impossible length", b"bA", {}, OK, "parse error"),
    ("52 letter", b"x", {}, OK, "parse error"),
    ("52 negative", b"-1", {}, OK, "parse error"),
)


@pytest.mark.parametrize(("body", "headers", "expected", "reason"), ENDING_POSTS)
async def test_post_ends_the_session(
    server: Serving, body: bytes, headers: dict[str, str], expected: Answer, reason: str
) -> None:
    """The POST is answered, the session is gone, and the application hears why."""
    polling = await server.polling()
    socket_id = await polling.join()
    assert read_answer(await polling.post(body, headers)) == expected
    assert await server.reason_of(socket_id) == reason
    assert read_answer(await polling.poll()) == UNKNOWN_SID


NOT_ALLOWED = answer(405)

HARMLESS_REQUESTS = rows(
    ("7 other transport", "GET", "transport=polling", "transport=websocket", b"", BAD_REQUEST),
    ("8 no EIO", "GET", "EIO=4&", "", b"", BAD_REQUEST),
    ("8 other EIO", "GET", "EIO=4", "EIO=3", b"", BAD_REQUEST),
    ("8 other EIO, POST", "POST", "EIO=4", "EIO=3", b"3", BAD_REQUEST),
    ("9 PUT", "PUT", "", "", b"3", NOT_ALLOWED),
    ("9 DELETE", "DELETE", "", "", b"", NOT_ALLOWED),
    ("9 OPTIONS", "OPTIONS", "", "", b"", NOT_ALLOWED),
    ("9 HEAD", "HEAD", "", "", b"", NOT_ALLOWED),
    ("9 PATCH", "PATCH", "", "", b"3", NOT_ALLOWED),
    ("18 body of exactly the limit", "POST", "", "", event_of_size(LIMIT), OK),
    ("19 octet-stream with a parameter", "POST", "", "", b"3", OK),
    ("54 pong", "POST", "", "", b"3", OK),
    ("54 many pongs", "POST", "", "", SEPARATOR.join([b"3"] * 100_000), OK),
    ("57 open", "POST", "", "", b'0{"sid":"x"}', OK),
    ("57 upgrade", "POST", "", "", b"5", OK),
    ("57 noop", "POST", "", "", b"6", OK),
)


@pytest.mark.parametrize(("method", "instead_of", "put", "body", "expected"), HARMLESS_REQUESTS)
async def test_session_survives(
    server: Serving, method: str, instead_of: str, put: str, body: bytes, expected: Answer
) -> None:
    """The request is answered, and the session lives on."""
    polling = await server.polling()
    await polling.join()
    target = polling.target.replace(instead_of, put)
    assert read_answer(await server.ask(request(method, target, body or None))) == expected
    await check_echo(polling)
