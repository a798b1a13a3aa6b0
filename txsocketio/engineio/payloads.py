"""What the bodies of long-polling look like; chosen for each session at its handshake.

        query             answers to polls                          bodies of POSTs
        EIO=4             4hello<1E>bAQID                           the same
        EIO=3, or none    6:4hello, or binary if anything in it is  the same, or binary if their type says so
        EIO=3&b64=1       6:4hello6:b4AQID                          as above
        j=0 (JSONP)       ___eio[0]("..."); a text as above         d=... a text as above, in a form

A JSONP client is a page that may load scripts from here and nothing else: its answers are scripts, its POSTs are forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from txsocketio.engineio.answers import TEXT
from txsocketio.engineio.exchange import Field
from txsocketio.protocol import engineio, engineio3
from txsocketio.protocol.json_codec import dumps

Decode = Callable[[bytes], Iterator[str | bytes]]

OCTETS = b"application/octet-stream"
BINARY: Field = (b"Content-Type", OCTETS)


class Payloads:
    """Those of Engine.IO protocol v4."""

    __slots__ = ()

    def decoder(self, kind: bytes | None) -> Decode | None:
        """What iterates over the packets of a POST with this Content-Type; None when no client may send it."""
        return None if kind == OCTETS else engineio.decode_payload

    def encode(self, packets: Sequence[bytes]) -> tuple[Field, bytes]:
        """The Content-Type and the body of the answer to a poll. Hot path."""
        return TEXT, engineio.encode_payload(packets)


class TextPayloads3(Payloads):
    """Those of v3 for clients that ask for base64."""

    __slots__ = ()

    def decoder(self, kind: bytes | None) -> Decode | None:
        return engineio3.decode_binary_payload if kind == OCTETS else engineio3.decode_payload

    def encode(self, packets: Sequence[bytes]) -> tuple[Field, bytes]:
        return TEXT, engineio3.encode_payload(packets)


class Payloads3(TextPayloads3):
    """Those of v3 for all others."""

    __slots__ = ()

    def encode(self, packets: Sequence[bytes]) -> tuple[Field, bytes]:
        if engineio3.has_binary(packets):
            return BINARY, engineio3.encode_binary_payload(packets)
        return super().encode(packets)


#: What JSONP clients write for a line feed, and for a backslash with an "n" behind it.
_LINE_FEED = re.compile(rb"\\\\n|\\n")
_FIELD = re.compile(rb"(?:^|&)d=([^&]*)")


class JSONP(Payloads):
    """Scripts and forms, with payloads of another form in them.

    Args:
        inner: the form of what is in them; only text.
        number: which of its functions the client wants to be called; everything but digits is left out.
    """

    __slots__ = ("_head", "_inner")

    def __init__(self, inner: Payloads, number: str) -> None:
        self._inner = inner
        self._head = b"___eio[%b](" % re.sub("[^0-9]", "", number).encode()

    def decoder(self, kind: bytes | None) -> Decode | None:
        decode = self._inner.decoder(None)
        assert decode is not None
        return lambda body: iter(()) if (payload := _payload_in(body)) is None else decode(payload)

    def encode(self, packets: Sequence[bytes]) -> tuple[Field, bytes]:
        kind, body = self._inner.encode(packets)
        # JSON, but not JavaScript before 2019, allows these two in a string.
        text = dumps(body.decode()).replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
        return kind, self._head + text + b");"


def _payload_in(form: bytes) -> bytes | None:
    """The field "d" of a form, which is a payload; None if there is no such field."""
    field = _FIELD.search(form)
    if field is None:
        return None
    payload = unquote_to_bytes(field[1].replace(b"+", b" "))
    return _LINE_FEED.sub(lambda found: b"\n" if len(found[0]) == 2 else b"\\n", payload)


V4, V3, V3_TEXT = Payloads(), Payloads3(), TextPayloads3()


def payloads_of(protocol: int, query: Mapping[str, str]) -> Payloads:
    """The form for a client with this query in its handshake."""
    if "j" in query:
        return JSONP(V4 if protocol == 4 else V3_TEXT, query["j"])
    if protocol == 4:
        return V4
    return V3_TEXT if query.get("b64") else V3
