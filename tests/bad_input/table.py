"""How the tables are written: a row is a tuple, its first column the number in the list of bad input and a name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire import Response

#: Status, content type and body.
Answer = tuple[int, str | None, bytes]


def rows(*table: tuple[Any, ...]) -> list[Any]:
    """The columns behind the name, as parameters of a test."""
    return [pytest.param(*columns, id=name) for name, *columns in table]


def answer(status: int, body: bytes = b"", content_type: str | None = None) -> Answer:
    return status, content_type, body


def read_answer(response: Response) -> Answer:
    return response.status, response.header("content-type"), response.body


def refused(code: int, message: str, status: int = 400) -> Answer:
    """The answer of Engine.IO to a request that it refuses."""
    return answer(status, b'{"code":%d,"message":"%b"}' % (code, message.encode()), "application/json")


OK = answer(200, b"ok", "text/html")
EMPTY_400 = answer(400)
UNKNOWN_SID = refused(1, "Session ID unknown")
BAD_REQUEST = refused(3, "Bad request")
