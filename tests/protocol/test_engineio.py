"""Engine.IO packets and payloads, as the protocol's text and recorded sessions show them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txsocketio.errors import PacketError
from txsocketio.protocol import engineio
from txsocketio.protocol.engineio import decode_payload, decode_text_frame, encode_open, encode_payload


def test_the_types_of_packets_are_those_of_the_protocol() -> None:
    types = (
        engineio.OPEN,
        engineio.CLOSE,
        engineio.PING,
        engineio.PONG,
        engineio.MESSAGE,
        engineio.UPGRADE,
        engineio.NOOP,
    )
    assert types == ("0", "1", "2", "3", "4", "5", "6")


def test_the_open_packet_is_the_recorded_one() -> None:
    """Over long-polling an upgrade is offered, over WebSocket none; durations are milliseconds on the wire."""
    assert encode_open("KgprXz5ZaBvIOm27AAAA", [], 25.0, 20.0, 1_000_000) == (
        b'0{"sid":"KgprXz5ZaBvIOm27AAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
    )
    assert encode_open("x", ("websocket",), 0.3, 0.0125, 1) == (
        b'0{"sid":"x","upgrades":["websocket"],"pingInterval":300,"pingTimeout":12,"maxPayload":1}'
    )


# Engine.IO protocol v4, "Packet encoding"; what the reference answers in long-polling.
PAYLOADS = {
    "the example of the protocol": (b"4hello\x1e2\x1e4world", ["4hello", "2", "4world"]),
    "binary between texts": (b"4hello\x1ebAQIDBA==\x1e2probe", ["4hello", b"\x01\x02\x03\x04", "2probe"]),
    "one packet": (b"3probe", ["3probe"]),
    "a message without data": (b"4", ["4"]),
    "an empty binary message": (b"b", [b""]),
    "text beyond ASCII": ("4€😀".encode(), ["4€😀"]),
    "the end of a session": (b"6\x1e1", ["6", "1"]),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_is_its_packets_in_order(name: str) -> None:
    body, packets = PAYLOADS[name]
    assert list(decode_payload(body)) == packets
    assert encode_payload([encoded(packet) for packet in packets]) == body


def encoded(packet: str | bytes) -> bytes:
    return packet.encode() if isinstance(packet, str) else b"b" + b64encode(packet)


# What a payload may contain that ends the session (rows 20-26 of the list of hostile input): body, packets before.
REFUSED = {
    "an empty body": (b"", []),
    "an unknown type": (b"9abc", []),
    "a letter": (b"x", []),
    "a sign": (b"-1", []),
    "the digit of another script": ("\uff14hello".encode(), []),
    "an empty packet at the start": (b"\x1e4a", []),
    "an empty packet in the middle": (b"4a\x1e\x1e4b", ["4a"]),
    "an empty packet at the end": (b"4a\x1e", ["4a"]),
    "an unknown type behind a message": (b"4a\x1e7\x1e4b", ["4a"]),
    "bytes that are not UTF-8": (b"4\xff\xfe", []),
    "bytes that are not UTF-8 behind a message": (b"4a\x1e4\xff", ["4a"]),
    "a type that is not UTF-8": (b"\xff", []),
    "a surrogate in UTF-8": (b"4\xed\xa0\x80", []),
    "no base64": (b"b!!!!", []),
    "base64 without its padding": (b"bAQ", []),
    "base64 that goes on behind its padding": (b"bAQ==AQ==", []),
    "base64 with white space": (b"bAQ ID", []),
    "base64 with a line end": (b"bAQID\n", []),
    "base64 of one character": (b"bA", []),
    "base64 beyond ASCII": ("bÄQID".encode(), []),
    "base64 with the alphabet for addresses": (b"b_-_-", []),
}


@pytest.mark.parametrize("name", REFUSED)
def test_packets_before_a_bad_one_are_handed_over(name: str) -> None:
    body, before = REFUSED[name]
    packets, error = until_error(decode_payload(body))
    assert packets == before
    assert error is not None


def until_error(packets: Iterator[str | bytes]) -> tuple[list[str | bytes], PacketError | None]:
    taken: list[str | bytes] = []
    try:
        taken.extend(packets)
    except PacketError as error:
        return taken, error
    return taken, None


def test_half_a_million_separators_end_at_the_first() -> None:
    """Nothing is prepared for the packets that will never be looked at."""
    packets = decode_payload(b"\x1e" * 500_000)
    with pytest.raises(PacketError):
        next(packets)
    with pytest.raises(StopIteration):
        next(packets)


def test_a_megabyte_of_the_smallest_packets_is_read_in_one_pass() -> None:
    assert list(decode_payload(b"3\x1e" * 499_999 + b"3")) == ["3"] * 500_000


def test_a_text_frame_is_a_packet_or_base64() -> None:
    """A client that can send only text over WebSocket sends its binary messages as in long-polling."""
    assert decode_text_frame("4hello") == "4hello"
    assert decode_text_frame("5") == "5"
    assert decode_text_frame("bAQID") == b"\x01\x02\x03"


@pytest.mark.parametrize("text", ["", "7", "x", "-1", "b!", "b=", "\uff12", " 4", "\x1e"])
def test_a_text_frame_that_is_no_packet_is_refused(text: str) -> None:
    with pytest.raises(PacketError):
        decode_text_frame(text)


TEXTS = st.builds(str.__add__, st.sampled_from("0123456"), st.text().filter(lambda text: "\x1e" not in text))


@given(st.lists(st.one_of(TEXTS, st.binary()), min_size=1))
def test_what_was_joined_comes_apart_again(packets: list[str | bytes]) -> None:
    assert list(decode_payload(encode_payload([encoded(packet) for packet in packets]))) == packets


@given(st.one_of(st.binary(), st.lists(st.sampled_from([b"4", b"b", b"\x1e", b"AQ==", b"\xc3"])).map(b"".join)))
def test_no_body_raises_anything_else(body: bytes) -> None:
    packets, _ = until_error(decode_payload(body))
    assert len(packets) <= body.count(b"\x1e") + 1


@given(st.text())
def test_no_text_frame_raises_anything_else(text: str) -> None:
    try:
        packet = decode_text_frame(text)
    except PacketError:
        return
    assert packet == text or text[0] == "b"
