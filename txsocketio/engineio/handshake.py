"""The opening handshake of WebSocket, answered by us.

A request comes here when Engine.IO has nothing against it, so the answer is a 101 or the refusal of a bad handshake.
Source: RFC 6455, 4.2; RFC 7692, 7 for the extension.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import TYPE_CHECKING

from autobahn.websocket.compress_deflate import (
    PerMessageDeflate,
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
)

from txsocketio.engineio.exchange import Fields

if TYPE_CHECKING:
    from txsocketio.engineio.request import HTTPRequest

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
VERSIONS = (b"13", b"8")


class BadHandshake(Exception):
    """The request is not a WebSocket handshake that we speak.

    Attributes:
        fields: what the answer tells besides.
    """

    def __init__(self, message: str, fields: Fields = ()) -> None:
        super().__init__(message)
        self.fields = fields


def check(request: HTTPRequest) -> bytes:
    """The key of a handshake.

    Raises:
        BadHandshake: with the text that the reference server answers.
    """
    if request.method != "GET":
        raise BadHandshake("Invalid HTTP method")
    fields = request.fields
    if fields.get(b"upgrade", b"").lower() != b"websocket":
        raise BadHandshake("Invalid Upgrade header")
    key = fields.get(b"sec-websocket-key", b"")
    # "a base64-encoded value that, when decoded, is 16 bytes in length"
    if len(key) != 24 or key[-2:] != b"==" or not _is_base64(key):
        raise BadHandshake("Missing or invalid Sec-WebSocket-Key header")
    if fields.get(b"sec-websocket-version") not in VERSIONS:
        raise BadHandshake(
            "Missing or invalid Sec-WebSocket-Version header", [(b"Sec-WebSocket-Version", b", ".join(VERSIONS))]
        )
    return key


def _is_base64(key: bytes) -> bool:
    try:
        return len(a2b_base64(key, strict_mode=True)) == 16
    except ValueError:
        return False


def answer(key: bytes, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The head of the 101 answer."""
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
        + b"\r\n"
    )
    if fields:
        head += b"".join([b"%b: %b\r\n" % field for field in fields])
    return head + b"\r\n"


def accept_deflate(request: HTTPRequest, settings: Mapping[str, int]) -> tuple[PerMessageDeflate, bytes] | None:
    """The compression that the client offers and the field that accepts it, or None without a usable offer."""
    for name, parameters in _extensions(request.fields.get(b"sec-websocket-extensions", b"").decode("latin-1")):
        if name != "permessage-deflate":
            continue
        try:
            offer = PerMessageDeflateOffer.parse(parameters)
            accept = PerMessageDeflateOfferAccept(
                offer, window_bits=settings.get("window_bits"), mem_level=settings.get("mem_level")
            )
        except Exception:  # noqa: BLE001 - Autobahn has no narrower one for a senseless offer
            continue
        return PerMessageDeflate.create_from_offer_accept(True, accept), accept.get_extension_string().encode()
    return None


def _extensions(text: str) -> list[tuple[str, dict[str, list[str | bool]]]]:
    """The offers in the field, in Autobahn's form: parameters with all values that were given."""
    offers = []
    for part in text.split(","):
        name, *rest = (piece.strip() for piece in part.split(";"))
        parameters: dict[str, list[str | bool]] = {}
        for piece in rest:
            key, equals, value = piece.partition("=")
            parameters.setdefault(key.strip().lower(), []).append(value.strip().strip('"') if equals else True)
        offers.append((name.lower(), parameters))
    return offers
