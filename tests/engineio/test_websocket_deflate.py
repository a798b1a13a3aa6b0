"""A WebSocket connection whose messages are compressed."""

from __future__ import annotations

import os
import zlib

import pytest
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)
from twisted.internet.testing import StringTransport

from tests.engineio.doubles import COARSE
from tests.engineio.line import LIMIT, Connected, Line, text
from tests.wire import BINARY, CLOSE, CONTINUATION, TEXT, frame
from txsocketio.engineio.autobahn import INFLATE_MARGIN
from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.websocket import CLOSE_TIMEOUT

THRESHOLD = 100

#: How a frame with a compressed message begins.
COMPRESSED_TEXT, COMPRESSED_BINARY = b"\xc1", b"\xc2"


def deflating(limit: int = LIMIT, **settings: int) -> Connected:
    """A client that has offered compression; what it sends is only noted."""
    rig = Connected(max_http_buffer_size=limit, per_message_deflate={"threshold": THRESHOLD} | settings)
    rig.open(sec_websocket_extensions="permessage-deflate; client_max_window_bits")
    rig.log.listen(rig.session)
    return rig


def deflated(payload: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """A message of a client that compresses each for itself. Source: RFC 7692, 7.2.1."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(payload) + compressor.flush(flush)).removesuffix(b"\x00\x00\xff\xff")


def fragments(payload: bytes, count: int) -> bytes:
    """A compressed text in that many frames."""
    size = len(payload) // count + 1
    pieces = [payload[begin : begin + size] for begin in range(0, len(payload), size)]
    last = len(pieces) - 1
    return b"".join(
        frame(CONTINUATION if number else TEXT, piece, fin=number == last, rsv=0 if number else 4)
        for number, piece in enumerate(pieces)
    )


# Receiving


@pytest.mark.parametrize("size", [2, LIMIT - 1, LIMIT])
@pytest.mark.parametrize("count", [1, 3])
def test_compressed_message_up_to_the_limit(size: int, count: int) -> None:
    rig = deflating()
    rig.ask(fragments(deflated(b"4" * size), count))
    assert rig.log == [f"message {'4' * (size - 1)!r}"]


@pytest.mark.parametrize("margin", [1, 2, INFLATE_MARGIN, INFLATE_MARGIN + 1, INFLATE_MARGIN + 2, 10**7])
@pytest.mark.parametrize("count", [1, 3])
def test_compressed_message_above_the_limit(margin: int, count: int) -> None:
    """The limit is for what a message inflates to: a bomb is not inflated beyond it, nor cut to it."""
    rig = deflating()
    assert rig.ask(fragments(deflated(b"4" * (LIMIT + margin))[:LIMIT], count)) == ["close 1009"]
    (line,) = rig.log
    assert line.startswith("close transport error")


def test_bomb_that_goes_on_is_not_kept() -> None:
    """Whatever still comes behind the refusal takes no memory."""
    rig = deflating()
    rig.ask(frame(BINARY, deflated(b"4" * 10**6)[:LIMIT], rsv=4))
    for _ in range(50):
        rig.line.feed(frame(BINARY, b"x" * 900, rsv=4) * 10)
    assert len(rig.websocket.data) < 65536
    rig.pass_time(CLOSE_TIMEOUT + COARSE)
    assert rig.line.aborted or rig.line.disconnecting


@pytest.mark.parametrize("payload", [b"\xff" * 20, deflated(b"4" * 50)[:-4] + b"\xff\xff\xff\xff"])
def test_what_cannot_be_inflated(payload: bytes) -> None:
    rig = deflating()
    assert rig.ask(frame(TEXT, payload, rsv=4)) == ["close 1007"]
    assert rig.log[0].startswith("close transport error")


def test_invalid_text_in_a_compressed_message() -> None:
    rig = deflating()
    assert rig.ask(frame(TEXT, deflated(b"4\xff\xfe"), rsv=4)) == ["close 1007"]


def test_plain_messages_between_compressed_ones() -> None:
    """A client compresses what it thinks worth it."""
    rig = deflating()
    rig.ask(text("a") + frame(TEXT, deflated(b"4b"), rsv=4) + text("c") + frame(BINARY, deflated(b"d"), rsv=4))
    assert rig.log == ["message 'a'", "message 'b'", "message 'c'", "message b'd'"]


def test_messages_that_end_their_stream() -> None:
    """A client may end each with a final block. Source: RFC 7692, 7.2.3.4."""
    rig = deflating()
    for _ in range(3):
        rig.ask(frame(TEXT, deflated(b"4ended", zlib.Z_FINISH) + b"\x00", rsv=4))
    assert rig.log == ["message 'ended'"] * 3


def test_compressed_message_without_the_extension() -> None:
    rig = Connected().open()
    assert rig.ask(frame(TEXT, deflated(b"4a"), rsv=4)) == ["close 1002"]


# Sending


def test_only_what_is_long_enough_is_compressed() -> None:
    rig = deflating()
    rig.session.send("x" * (THRESHOLD - 2))
    assert rig.line.take()[:1] == b"\x81"
    rig.session.send("x" * (THRESHOLD - 1))
    assert rig.line.take()[:1] == COMPRESSED_TEXT
    rig.session.send(b"x" * THRESHOLD)
    assert rig.line.take()[:1] == COMPRESSED_BINARY


def test_what_is_not_to_be_compressed_is_not() -> None:
    rig = deflating()
    rig.session.send_outgoing(Outgoing(b"x" * 1000, compress=False))
    assert rig.line.take()[:1] == b"\x81"


def test_heartbeat_is_not_compressed() -> None:
    rig = deflating(limit=LIMIT)
    rig.pass_time(25 + COARSE)
    assert rig.line.take() == b"\x81\x012"


def test_one_message_to_clients_with_and_without() -> None:
    """A broadcast is compressed for those who can, anew for each, and shared by the others."""
    engine = deflating()
    plain = Connected().open()
    outgoing = Outgoing(b"x" * 1000)
    for rig in (engine, plain, engine, plain):
        rig.session.send_outgoing(outgoing)
    assert plain.ask() == ["4" + "x" * 1000] * 2
    assert len(engine.line.take()) < 100


# The other end is Autobahn's


class Client(WebSocketClientProtocol):
    """A client that notes what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[str | bytes] = []

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.got.append(payload if isBinary else payload.decode())


class Ends:
    """A site of ours and a client of Autobahn, with memory between them."""

    def __init__(self, offer: PerMessageDeflateOffer, **settings: int) -> None:
        self.rig = Connected(max_http_buffer_size=100_000, per_message_deflate={"threshold": THRESHOLD} | settings)
        self.line = self.rig.line = Line()
        self.line.protocol = self.rig.engine.site().buildProtocol(None)
        self.line.protocol.makeConnection(self.line)
        factory = WebSocketClientFactory("ws://test/engine.io/?EIO=4&transport=websocket")
        factory.setProtocolOptions(
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
            perMessageCompressionOffers=[offer],
            perMessageCompressionAccept=_accept,
        )
        factory.protocol = Client
        self.client: Client = factory.buildProtocol(None)
        self.client.makeConnection(StringTransport())
        self.pump()
        self.opened = self.client.got.pop(0)

    def pump(self) -> bytes:
        """Carry what each end has written to the other; what the server wrote."""
        carried = b""
        while (to_server := self.client.transport.value()) or self.line.value():
            self.client.transport.clear()
            if to_server:
                self.line.feed(to_server)
            to_client = self.line.take()
            carried += to_client
            self.client._dataReceived(to_client)
        return carried


def _accept(response: object) -> PerMessageDeflateResponseAccept | None:
    assert isinstance(response, PerMessageDeflateResponse)
    return PerMessageDeflateResponseAccept(response)


@pytest.mark.parametrize(
    "offer",
    [
        PerMessageDeflateOffer(),
        PerMessageDeflateOffer(False, False),
        PerMessageDeflateOffer(request_no_context_takeover=True),
        PerMessageDeflateOffer(request_max_window_bits=9),
        PerMessageDeflateOffer(request_no_context_takeover=True, request_max_window_bits=10),
    ],
    ids=["plain", "nothing accepted", "no context takeover", "window of 9 bits", "both"],
)
@pytest.mark.parametrize("settings", [{}, {"window_bits": 9, "mem_level": 1}], ids=["default", "small"])
def test_messages_come_back_as_they_were(offer: PerMessageDeflateOffer, settings: dict[str, int]) -> None:
    """Whatever was agreed upon, in both directions, one message after the other."""
    ends = Ends(offer, **settings)
    assert ends.client._perMessageCompress is not None
    messages: list[str | bytes] = [
        "short",
        "x" * 5000,
        os.urandom(5000),
        b"",
        "\u20ac" * 3000,
        b"y" * 99_000,
        "x" * 5000,
    ]
    for message in messages:
        payload = b"4" + message.encode() if isinstance(message, str) else message
        ends.client.sendMessage(payload, isBinary=isinstance(message, bytes))
        ends.pump()
    expected = ["4" + message if isinstance(message, str) else message for message in messages]
    assert ends.client.got == expected
    assert ends.rig.session.is_open


def test_what_repeats_costs_little() -> None:
    """The compression of a message builds on the ones before."""
    ends = Ends(PerMessageDeflateOffer())
    noise = os.urandom(2000)
    ends.rig.session.send(noise)
    first = len(ends.pump())
    ends.rig.session.send(noise)
    assert len(ends.pump()) < first / 10


def test_closing_of_a_compressed_connection() -> None:
    ends = Ends(PerMessageDeflateOffer())
    ends.rig.session.send("last " + "x" * 1000)
    ends.rig.session.close()
    ends.pump()
    assert ends.client.got == ["4last " + "x" * 1000]
    assert ends.client.remoteCloseCode is None and ends.client.wasClean
    assert ends.line.disconnecting


def test_close_frame_is_never_compressed() -> None:
    rig = deflating()
    assert rig.ask(frame(CLOSE, b"\x03\xe8" + b"x" * 120)) == ["close 1000"]
