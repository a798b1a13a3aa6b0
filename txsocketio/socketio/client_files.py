"""The JavaScript client, served beside the protocol: /socket.io/socket.io.min.js and its siblings.

The files are those of the npm package "socket.io-client", in its folder dist/. None of them is part of this package:
the option `client_path` names the folder. Source: spec A7.2.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

try:
    import brotli
except ImportError:
    brotli = None

if TYPE_CHECKING:
    from txsocketio.engineio.exchange import Exchange, Fields

_JAVASCRIPT = b"application/javascript; charset=utf-8"
_JSON = b"application/json; charset=utf-8"
_BUNDLES = ("socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js")
CONTENT_TYPES = dict.fromkeys(_BUNDLES, _JAVASCRIPT) | {f"{name}.map": _JSON for name in _BUNDLES}

#: In the order in which they are preferred.
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
if brotli is not None:
    # The best quality, 11, would hold up the reactor for a second on the largest map.
    ENCODINGS = {"br": lambda content: brotli.compress(content, quality=6)} | ENCODINGS


class ClientFile:
    """One file as it is now, in every encoding that was asked for so far."""

    def __init__(self, content: bytes) -> None:
        # Not our version, as in the reference, which brings its client along: this folder is updated without us.
        self.etag = f'"{sha256(content).hexdigest()[:16]}"'
        self._encoded = {"": content}

    def encoded(self, encoding: str) -> bytes:
        """The content in one of ENCODINGS, or as it is for ""."""
        if encoding not in self._encoded:
            self._encoded[encoding] = ENCODINGS[encoding](self._encoded[""])
        return self._encoded[encoding]


class ClientFiles:
    """Answers requests for the client's files; read at the first request, then kept.

    Args:
        folder: the dist/ of the npm package "socket.io-client".
        answer: gives the exchange its status, fields and body; the engine's, which adds those of CORS.
    """

    def __init__(self, folder: str, answer: Callable[[Exchange, int, Fields, bytes], None]) -> None:
        self._folder = os.path.abspath(folder)
        self._answer = answer
        self._files: dict[str, ClientFile] = {}

    def serve(self, exchange: Exchange, name: str) -> bool:
        """Answer with the file of exactly this name; False when there is none."""
        file = self._find(name) if exchange.request.method in ("GET", "HEAD") else None
        if file is None:
            return False
        fields = [
            (b"Cache-Control", b"public, max-age=0"),
            (b"ETag", file.etag.encode()),
            (b"Vary", b"Accept-Encoding"),
        ]
        if is_unchanged(exchange.request.headers.get("if-none-match", ""), file.etag):
            self._answer(exchange, 304, fields, b"")
            return True
        encoding = choose_encoding(exchange.request.headers.get("accept-encoding", ""))
        if encoding:
            fields.append((b"Content-Encoding", encoding.encode()))
        fields.append((b"Content-Type", CONTENT_TYPES[name]))
        self._answer(exchange, 200, fields, file.encoded(encoding))
        return True

    def _find(self, name: str) -> ClientFile | None:
        if name not in self._files and name in CONTENT_TYPES:
            try:
                with open(os.path.join(self._folder, name), "rb") as file:
                    self._files[name] = ClientFile(file.read())
            except OSError:
                return None
        return self._files.get(name)


def is_unchanged(if_none_match: str, etag: str) -> bool:
    """Whether the client holds this version. Source: RFC 9110, 13.1.2, "weak comparison"."""
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in if_none_match.split(","))


def choose_encoding(accept_encoding: str) -> str:
    """The best of ENCODINGS that the client takes, "" for none. Source: RFC 9110, 12.5.3."""
    accepted = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameters = item.partition(";")
        accepted[coding.strip()] = not _is_zero(parameters)
    return next((name for name in ENCODINGS if accepted.get(name, accepted.get("*", False))), "")


def _is_zero(parameters: str) -> bool:
    """Whether a coding is refused: "q=0", with up to three zeros behind the point."""
    name, _, value = parameters.replace(" ", "").partition("=")
    return name == "q" and value.strip("0") in ("", ".")
