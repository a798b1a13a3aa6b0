"""Rows 41-47: WebSocket frames that the protocol does not allow."""

from __future__ import annotations

import pytest

from tests.bad_input.serving import Serving, check_echo, ending
from tests.bad_input.table import rows
from tests.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

LIMIT = 1_000_000
PROTOCOL_ERROR, INVALID_TEXT, TOO_MANY, TOO_BIG = 1002, 1007, 1008, 1009

EVENT = b'42["unheard"]'
OPENING = frame(TEXT, b"4", fin=False)

ROWS = rows(
    ("42 RSV1 without deflate", frame(TEXT, EVENT, rsv=4), PROTOCOL_ERROR),
    ("42 RSV2", frame(TEXT, EVENT, rsv=2), PROTOCOL_ERROR),
    ("42 RSV3", frame(TEXT, EVENT, rsv=1), PROTOCOL_ERROR),
    ("42 opcode 3", frame(3, EVENT), PROTOCOL_ERROR),
    ("42 opcode 11", frame(11), PROTOCOL_ERROR),
    ("42 unmasked", frame(TEXT, EVENT, masked=False), PROTOCOL_ERROR),
    ("42 unmasked ping", frame(PING, masked=False), PROTOCOL_ERROR),
    ("42 fragmented ping", frame(PING, fin=False), PROTOCOL_ERROR),
    ("42 ping of 126 bytes", frame(PING, b"a" * 126), PROTOCOL_ERROR),
    ("42 length not in its shortest form", b"\x81\xfe\x00\x01\x00\x00\x00\x003", PROTOCOL_ERROR),
    ("42 continuation of nothing", frame(CONTINUATION, EVENT), PROTOCOL_ERROR),
    ("42 text inside a fragmented message", OPENING + frame(TEXT, EVENT), PROTOCOL_ERROR),
    ("42 binary inside a fragmented message", OPENING + frame(BINARY, EVENT), PROTOCOL_ERROR),
    ("43 invalid UTF-8", frame(TEXT, b"4\xff\xfe"), INVALID_TEXT),
    ("43 overlong UTF-8", frame(TEXT, b"4\xc0\xaf"), INVALID_TEXT),
    ("43 surrogate in UTF-8", frame(TEXT, b"4\xed\xa0\x80"), INVALID_TEXT),
    ("43 text ends inside a character", frame(TEXT, b"4\xe2\x82"), INVALID_TEXT),
    (
        "43 invalid across fragments",
        frame(TEXT, b"4\xe2", fin=False) + frame(CONTINUATION, b"\x28\xa1"),
        INVALID_TEXT,
    ),
    ("44 one byte above the limit", frame(TEXT, b"4" * (LIMIT + 1)), TOO_BIG),
    ("44 binary, one byte above the limit", frame(BINARY, bytes(LIMIT + 1)), TOO_BIG),
    ("44 only the head of 2 MB", frame(TEXT, announced=2_000_000), TOO_BIG),
    ("44 only the head of 2^63 - 1", frame(BINARY, announced=2**63 - 1), TOO_BIG),
    (
        "44 endless fragments",
        OPENING + frame(CONTINUATION, b"a" * 10_000, fin=False) * 110,
        TOO_BIG,
    ),
    ("45 17 000 empty fragments", OPENING + frame(CONTINUATION, fin=False) * 17_000, TOO_MANY),
    ("45 17 000 fragments of a byte", OPENING + frame(CONTINUATION, b"a", fin=False) * 17_000, TOO_MANY),
    ("46 close of one byte", frame(CLOSE, b"\x03"), PROTOCOL_ERROR),
    ("46 close with code 1005", frame(CLOSE, (1005).to_bytes(2, "big")), PROTOCOL_ERROR),
    ("46 close with code 999", frame(CLOSE, (999).to_bytes(2, "big")), PROTOCOL_ERROR),
    ("46 close with code 5000", frame(CLOSE, (5000).to_bytes(2, "big")), PROTOCOL_ERROR),
    ("46 close with an invalid text", frame(CLOSE, b"\x03\xe8\xff"), INVALID_TEXT),
)


@pytest.mark.parametrize(("sent", "code"), ROWS)
async def test_frame_ends_the_session(server: Serving, sent: bytes, code: int) -> None:
    """The server names the fault in its close frame; for the application it is a transport error."""
    websocket = await server.websocket()
    socket_id = await websocket.join()
    websocket.wire.send(sent)
    assert (await ending(websocket)).code == code
    assert await server.reason_of(socket_id) == "transport error"


@pytest.mark.parametrize(("sent", "code"), ROWS)
async def test_frame_before_the_session_is_known(server: Serving, sent: bytes, code: int) -> None:
    """CVE-2022-21676: the same frames as the first thing after the handshake."""
    websocket = await server.websocket()
    websocket.wire.send(sent)
    assert (await ending(websocket)).code == code


HARMLESS = rows(
    ("empty fragments around a message", frame(TEXT, fin=False) + frame(CONTINUATION, EVENT)),
    ("ping between fragments", frame(TEXT, EVENT[:5], fin=False) + frame(PONG) + frame(CONTINUATION, EVENT[5:])),
    ("unsolicited pong", frame(PONG, b"x")),
    ("message of exactly the limit", frame(TEXT, b'42["unheard","' + b"a" * (LIMIT - 16) + b'"]')),
)


@pytest.mark.parametrize("sent", HARMLESS)
async def test_odd_but_legal_frame(server: Serving, sent: bytes) -> None:
    """What the protocol allows is taken, however unusual."""
    websocket = await server.websocket()
    await websocket.join()
    websocket.wire.send(sent)
    await check_echo(websocket)


@pytest.mark.parametrize("payload", [b"", b"x" * 125])
async def test_ping_is_answered(server: Serving, payload: bytes) -> None:
    """A4.11: a WebSocket ping gets its pong, and is no heartbeat of Engine.IO."""
    websocket = await server.websocket()
    websocket.wire.send(frame(PING, payload))
    received = await websocket.read_frame()
    assert (received.opcode, received.payload) == (PONG, payload)


async def test_reset_right_after_the_handshake(server: Serving) -> None:
    """41, CVE-2022-41940: nothing is logged, and nothing stays behind."""
    for _ in range(10):
        websocket = await server.websocket()
        websocket.wire.reset()


async def test_reset_inside_a_message(server: Serving) -> None:
    """41: the session ends as a lost transport."""
    websocket = await server.websocket()
    socket_id = await websocket.join()
    websocket.wire.send(frame(TEXT, EVENT, announced=1000))
    websocket.wire.reset()
    assert await server.reason_of(socket_id) in ("transport close", "transport error")


async def test_empty_text_message(server: Serving) -> None:
    """47: Engine.IO has no packet without a type."""
    websocket = await server.websocket()
    socket_id = await websocket.join()
    websocket.wire.send(frame(TEXT))
    assert (await ending(websocket)).code == 1005
    assert await server.reason_of(socket_id) == "parse error"
