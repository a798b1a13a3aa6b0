"""Legal input with a few bytes changed, the same changes in every run: whatever comes of it, nothing breaks."""

from __future__ import annotations

from random import Random

import pytest

from tests.bad_input.serving import Serving
from tests.sessions import POLLING, UPGRADE_HEADERS, WEBSOCKET, Polling, encode_packet
from tests.wire import BINARY, CONTINUATION, TEXT, chunked, frame, request

#: Each is a few connections; hundreds have been run while this was written.
ROUNDS = 10

REQUESTS = [
    request("GET", POLLING),
    request("POST", POLLING + "&sid=SID", b'42["echo",1]'),
    request("POST", POLLING + "&sid=SID", chunked([b"42[", b'"echo"', b"]"]), {"Transfer-Encoding": "chunked"}),
    request("GET", WEBSOCKET, headers=UPGRADE_HEADERS),
    request("GET", WEBSOCKET + "&sid=SID", headers=UPGRADE_HEADERS) + frame(TEXT, b"2probe") + frame(TEXT, b"5"),
]

FRAMES = [
    frame(TEXT, b'42["echo",1]'),
    frame(TEXT, b'42["echo",', fin=False) + frame(CONTINUATION, b"1]"),
    frame(TEXT, b'451-["echo",{"_placeholder":true,"num":0}]') + frame(BINARY, b"x"),
]

PACKETS = [
    '421["echo",{"a":[1,"b",null]}]',
    '40/nope,{"token":"x"}',
    '451-["echo",{"_placeholder":true,"num":0}]',
    "41",
]


def spoil(random: Random, data: bytes) -> bytes:
    """Change, insert, remove or repeat at up to three places."""
    spoilt = bytearray(data)
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(spoilt) + 1)
        kind = random.randrange(4)
        if kind == 0 and place < len(spoilt):
            spoilt[place] = random.randrange(256)
        elif kind == 1:
            spoilt.insert(place, random.choice(b'\x00\r\n :,;%"[]{}0129-/b\x1e\xff'))
        elif kind == 2:
            del spoilt[place : place + random.randint(1, 4)]
        else:
            spoilt[place:place] = spoilt[place : place + random.randint(1, 20)]
    return bytes(spoilt)


def end_what_began(server: Serving, polling: Polling) -> None:
    """A spoilt handshake may still have been one."""
    if server.io is not None:
        for sid, session in list(server.io.engine.sessions.items()):
            if sid not in (server.bystander.sid, polling.target[-20:]):
                session.close(discard=True)


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_spoilt_requests(server: Serving, seed: int) -> None:
    """HTTP and the opening handshake."""
    random = Random(seed)
    polling = await server.polling()
    await polling.join()
    for data in REQUESTS:
        wire = await server.wire()
        wire.send(spoil(random, data.replace(b"SID", polling.target[-20:].encode())))
        await server.check_bystander()
        wire.close()
    end_what_began(server, polling)


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_spoilt_frames(server: Serving, seed: int) -> None:
    """WebSocket frames, all of a connection's in one segment."""
    random = Random(seed)
    for _ in range(5):
        websocket = await server.websocket()
        await websocket.join()
        websocket.wire.send(spoil(random, b"".join(FRAMES)))
        await server.check_bystander()


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_spoilt_packets(server: Serving, seed: int) -> None:
    """Packets of Engine.IO and Socket.IO, over either transport."""
    random = Random(seed)
    for packet in PACKETS:
        spoilt = spoil(random, packet.encode())
        websocket = await server.websocket()
        await websocket.join()
        websocket.wire.send(frame(TEXT, spoilt) + frame(BINARY, b"x"))
        polling = await server.polling()
        await polling.join()
        await polling.post(spoilt + b"\x1e" + encode_packet(b"x"))
        await server.check_bystander()
