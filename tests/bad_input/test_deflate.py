"""Row 44 and its neighbours: compressed WebSocket messages, where the server has been told to take them."""

from __future__ import annotations

import zlib

import pytest

from tests.bad_input.serving import Serving, check_echo, ending, serving
from tests.bad_input.table import rows
from tests.sessions import UPGRADE_HEADERS, WEBSOCKET, WebSocket
from tests.wire import BINARY, CONTINUATION, PING, TEXT, frame, request

LIMIT = 1_000_000
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009
COMPRESSED = 4

EVENT = b'42["unheard"]'
OPENING = frame(TEXT, b"4", fin=False)


def deflate(payload: bytes) -> bytes:
    """RFC 7692, 7.2.1: without the four bytes that end every flush."""
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def message(payload: bytes, opcode: int = TEXT) -> bytes:
    return frame(opcode, deflate(payload), rsv=COMPRESSED)


def message_in_two(payload: bytes) -> bytes:
    deflated = deflate(payload)
    return frame(TEXT, deflated[:5], fin=False, rsv=COMPRESSED) + frame(CONTINUATION, deflated[5:])


def event_of_size(size: int) -> bytes:
    return b'42["unheard","' + b"a" * (size - 16) + b'"]'


async def compressing(server: Serving) -> WebSocket:
    headers = UPGRADE_HEADERS | {"Sec-WebSocket-Extensions": "permessage-deflate; client_no_context_takeover"}
    wire = await server.wire()
    wire.send(request("GET", WEBSOCKET, headers=headers))
    response = await wire.read_response()
    assert str(response.header("sec-websocket-extensions")).startswith("permessage-deflate")
    websocket = WebSocket(wire)
    await websocket.read_open()
    await websocket.join()
    return websocket


ENDING = rows(
    ("44 one byte above the limit", message(event_of_size(LIMIT + 1)), TOO_BIG),
    ("44 two bytes above the limit", message(event_of_size(LIMIT + 2)), TOO_BIG),
    ("44 binary, above the limit", message(bytes(LIMIT + 1), BINARY), TOO_BIG),
    ("44 bomb", message(bytes(50_000_000)), TOO_BIG),
    ("44 bomb in two fragments", message_in_two(bytes(50_000_000)), TOO_BIG),
    ("not deflated", frame(TEXT, b"\xff" * 100, rsv=COMPRESSED), INVALID_DATA),
    ("43 invalid UTF-8 inside", message(b"4\xff\xfe"), INVALID_DATA),
    ("42 compressed ping", frame(PING, deflate(b"x"), rsv=COMPRESSED), PROTOCOL_ERROR),
    ("42 RSV1 on a continuation", OPENING + frame(CONTINUATION, rsv=COMPRESSED), PROTOCOL_ERROR),
    ("42 RSV1 and RSV2", frame(TEXT, deflate(EVENT), rsv=COMPRESSED + 2), PROTOCOL_ERROR),
)


@pytest.mark.parametrize(("sent", "code"), ENDING)
async def test_compressed_frame_ends_the_session(way: str, sent: bytes, code: int) -> None:
    """The fault is named, and what a message may grow to is bounded."""
    async with serving(way, per_message_deflate=True) as server:
        websocket = await compressing(server)
        websocket.wire.send(sent)
        assert (await ending(websocket)).code == code
        assert await server.reason_of(websocket.socket_id) == "transport error"


HARMLESS = rows(
    ("compressed", message(EVENT)),
    ("compressed, of exactly the limit", message(event_of_size(LIMIT))),
    ("not compressed", frame(TEXT, EVENT)),
    ("compressed in fragments", message_in_two(EVENT)),
    ("both in turn", message(EVENT) + frame(TEXT, EVENT) + message(EVENT)),
)


@pytest.mark.parametrize("sent", HARMLESS)
async def test_compressed_frame_is_taken(way: str, sent: bytes) -> None:
    """What is legal is not refused, compressed or not."""
    async with serving(way, per_message_deflate=True) as server:
        websocket = await compressing(server)
        websocket.wire.send(sent)
        await check_echo(websocket)


OFFERS = [
    "permessage-deflate; server_max_window_bits=99",
    "permessage-deflate; client_max_window_bits=x",
    "permessage-deflate; unknown",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate=1",
    "x-webkit-deflate-frame",
    "; ;;, ,permessage",
    "permessage-deflate; " * 300,
]


@pytest.mark.parametrize("offer", OFFERS)
async def test_offer_that_makes_no_sense(way: str, offer: str) -> None:
    """RFC 7692, 5: declined; the connection is an ordinary one."""
    async with serving(way, per_message_deflate=True) as server:
        wire = await server.wire()
        wire.send(request("GET", WEBSOCKET, headers=UPGRADE_HEADERS | {"Sec-WebSocket-Extensions": offer}))
        response = await wire.read_response()
        assert (response.status, response.header("sec-websocket-extensions")) == (101, None)
        websocket = WebSocket(wire)
        await websocket.read_open()
        await websocket.join()
        await check_echo(websocket)
