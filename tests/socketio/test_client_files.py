"""The JavaScript client beside the protocol."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from txsocketio.engineio.exchange import Fields
from txsocketio.engineio.request import HTTPRequest
from txsocketio.socketio import client_files
from txsocketio.socketio.client_files import ClientFiles, choose_encoding, is_unchanged

SCRIPT = b"/* the client */ " * 100


class RecordingExchange:
    """One request of a browser, and the answer that it got."""

    def __init__(self, method: str = "GET", **fields: str) -> None:
        given = {name.replace("_", "-").encode(): value.encode() for name, value in fields.items()}
        self.request = HTTPRequest(method, "/socket.io/x", given, ("127.0.0.1", False))
        self.status: int | None = None

    def answer(self, status: int, fields: Fields, body: bytes) -> None:
        self.status, self.fields, self.body = status, dict(fields), body


@pytest.fixture
def files(tmp_path: Path) -> ClientFiles:
    (tmp_path / "socket.io.min.js").write_bytes(SCRIPT)
    (tmp_path / "socket.io.min.js.map").write_bytes(b"{}")
    (tmp_path / "secret.js").write_bytes(b"no")
    return ClientFiles(str(tmp_path), RecordingExchange.answer)


def test_a_browser_gets_the_script(files: ClientFiles) -> None:
    """The file comes as it is, with what a cache has to know."""
    exchange = RecordingExchange()
    assert files.serve(exchange, "socket.io.min.js")
    assert (exchange.status, exchange.body) == (200, SCRIPT)
    assert exchange.fields[b"Content-Type"] == b"application/javascript; charset=utf-8"
    assert exchange.fields[b"Cache-Control"] == b"public, max-age=0"
    assert exchange.fields[b"ETag"].startswith(b'"')
    assert b"Content-Encoding" not in exchange.fields


def test_a_map_is_json(files: ClientFiles) -> None:
    """The debugger of a browser gets the map of the sources."""
    exchange = RecordingExchange()
    assert files.serve(exchange, "socket.io.min.js.map")
    assert exchange.fields[b"Content-Type"] == b"application/json; charset=utf-8"


@pytest.mark.parametrize("name", ["secret.js", "socket.io.js", "", "../socket.io.min.js", "Socket.io.min.js", "x/y"])
def test_other_names_are_left_to_the_engine(files: ClientFiles, name: str) -> None:
    """Only the files of the client are served, by their exact names, and only those that are there."""
    exchange = RecordingExchange()
    assert not files.serve(exchange, name)
    assert exchange.status is None


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_other_methods_are_left_to_the_engine(files: ClientFiles, method: str) -> None:
    """Files are only read."""
    assert not files.serve(RecordingExchange(method), "socket.io.min.js")


def test_a_browser_that_has_it_is_told_so(files: ClientFiles) -> None:
    """The second visit costs no transfer."""
    first, second = RecordingExchange(), RecordingExchange()
    files.serve(first, "socket.io.min.js")
    second = RecordingExchange(if_none_match=f'"other", W/{first.fields[b"ETag"].decode()}')
    assert files.serve(second, "socket.io.min.js")
    assert (second.status, second.body) == (304, b"")
    assert second.fields[b"ETag"] == first.fields[b"ETag"]


def test_another_client_has_another_etag(tmp_path: Path) -> None:
    """Whoever updates the folder reaches the browsers, also when the server stays the same."""
    etags = []
    for content in (b"old", b"new"):
        (tmp_path / "socket.io.js").write_bytes(content)
        exchange = RecordingExchange()
        ClientFiles(str(tmp_path), RecordingExchange.answer).serve(exchange, "socket.io.js")
        etags.append(exchange.fields[b"ETag"])
    assert etags[0] != etags[1]


@pytest.mark.parametrize(("encoding", "decode"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
def test_the_script_is_compressed_once(files: ClientFiles, encoding: str, decode: object) -> None:
    """It comes compressed to whoever takes that, the same bytes each time."""
    first, second = RecordingExchange(accept_encoding=encoding), RecordingExchange(accept_encoding=encoding)
    assert files.serve(first, "socket.io.min.js")
    assert files.serve(second, "socket.io.min.js")
    assert first.fields[b"Content-Encoding"] == encoding.encode()
    assert first.fields[b"Vary"] == b"Accept-Encoding"
    assert decode(first.body) == SCRIPT  # type: ignore[operator]
    assert first.body is second.body


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", ""),
        ("identity", ""),
        ("gzip, deflate, br, zstd", "br"),
        ("deflate, gzip", "gzip"),
        ("br;q=0, gzip;q=0.0, deflate", "deflate"),
        ("GZIP;q=0.5", "gzip"),
        ("*", "br"),
        ("*, br;q=0", "gzip"),
        ("*;q=0", ""),
        ("gzip;q=0.001", "gzip"),
    ],
)
def test_the_best_encoding_is_chosen(monkeypatch: pytest.MonkeyPatch, accept: str, chosen: str) -> None:
    """Brotli before gzip before deflate, never one that was refused."""
    monkeypatch.setattr(client_files, "ENCODINGS", dict.fromkeys(("br", "gzip", "deflate"), bytes))
    assert choose_encoding(accept) == chosen


def test_brotli_is_not_offered_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The optional library may be missing."""
    monkeypatch.setattr(client_files, "ENCODINGS", {"gzip": gzip.compress})
    assert choose_encoding("br, gzip") == "gzip"


@pytest.mark.parametrize(
    ("given", "unchanged"),
    [('"a"', True), ('W/"a"', True), ("*", True), ('"b"', False), ("", False), ("a", False)],
)
def test_tags_are_compared_weakly(given: str, unchanged: bool) -> None:
    """A tag may have been weakened by a proxy that compressed."""
    assert is_unchanged(given, '"a"') is unchanged
