"""Packets and payloads of Engine.IO v3, as the protocol's text, its old npm package and recorded sessions show them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.test_engineio import TEXTS, encoded, until_error
from txsocketio.errors import PacketError
from txsocketio.protocol.engineio3 import (
    BINARY_MESSAGE,
    decode_binary_frame,
    decode_binary_payload,
    decode_payload,
    decode_text_frame,
    encode_binary_payload,
    encode_payload,
    has_binary,
)

Packets = list[str | bytes]

# Engine.IO protocol v3, "Payload"; recorded answers of the reference server.
PAYLOADS: dict[str, tuple[bytes, Packets]] = {
    "one packet": (b"2:40", ["40"]),
    "a pong": (b"1:3", ["3"]),
    "several": (b"6:4hello1:26:4world", ["4hello", "2", "4world"]),
    "text beyond ASCII": ("2:4€".encode(), ["4€"]),
    "a character of two units": ("3:4😀2:4é".encode(), ["4😀", "4é"]),
    "a text that looks like a length": (b"5:41:3110:411:222:33", ["41:31", "411:222:33"]),
    "the characters whose halves look like a colon": ("4:4㨀㨀:1:2".encode(), ["4㨀㨀:", "2"]),
    "the example of the protocol, in base64": ("2:4€10:b4AQIDBA==".encode(), ["4€", b"\1\2\3\4"]),
    "an empty binary message": (b"2:b4", [b""]),
    "a long packet": (b"1001:4" + b"a" * 1000, ["4" + "a" * 1000]),
}

BINARY_PAYLOADS: dict[str, tuple[bytes, Packets]] = {
    "the example of the protocol": (b"\0\4\xff4\xe2\x82\xac\1\5\xff\4\1\2\3\4", ["4€", b"\1\2\3\4"]),
    "a recorded message": (b"\1\3\xff\4\1\2", [b"\1\2"]),
    "an empty binary message": (b"\1\1\xff\4", [b""]),
    "several digits": (b"\1\1\0\1\xff\4" + b"a" * 100 + b"\0\1\xff2", [b"a" * 100, "2"]),
    "data that looks like a head": (b"\1\4\xff\4\0\1\xff\0\1\xff3", [b"\0\1\xff", "3"]),
    "a character of two units": (b"\0\5\xff4\xf0\x9f\x98\x80\0\3\xff4\xc3\xa9", ["4😀", "4é"]),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_is_its_packets_in_order(name: str) -> None:
    body, packets = PAYLOADS[name]
    assert list(decode_payload(body)) == packets
    assert encode_payload([encoded(packet) for packet in packets]) == body


@pytest.mark.parametrize("name", BINARY_PAYLOADS)
def test_a_binary_payload_is_its_packets_in_order(name: str) -> None:
    body, packets = BINARY_PAYLOADS[name]
    assert list(decode_binary_payload(body)) == packets
    assert encode_binary_payload([encoded(packet) for packet in packets]) == body


def test_binary_is_seen_in_a_payload_before_it_is_made() -> None:
    assert has_binary([b"4a", b"bAQID"])
    assert not has_binary([b"4b", b"2probe"])
    assert not has_binary([])


# Lengths and texts that other implementations write.
TOLERATED: dict[str, tuple[bytes, Packets]] = {
    "zeros in front of a length": (b"002:4a", ["4a"]),
    "nothing": (b"0:", []),
    "nothing between packets": (b"2:4a0:1:2", ["4a", "2"]),
}


@pytest.mark.parametrize("name", TOLERATED)
def test_what_others_write_is_read(name: str) -> None:
    body, packets = TOLERATED[name]
    assert list(decode_payload(body)) == packets


def test_base64_may_stand_in_a_binary_payload() -> None:
    assert list(decode_binary_payload(b"\0\6\xffb4AQID\0\2\xff4a")) == [b"\1\2\3", "4a"]


# What ends the session: body, packets before.
REFUSED: dict[str, tuple[bytes, Packets]] = {
    "an empty body": (b"", []),
    "no length": (b"4hello", []),
    "a payload of v4": (b"4hello\x1e2", []),
    "an empty length": (b":4a", []),
    "nothing but a colon": (b":", []),
    "a length alone": (b"5", []),
    "a length without its packet": (b"5:", []),
    "a packet that is too short": (b"3:4a", []),
    "a second packet that is too short": (b"2:4a9:4b", ["4a"]),
    "something behind the last packet": (b"2:4a4", ["4a"]),
    "a length that is one too small": (b"1:4a", ["4"]),
    "a negative length": (b"-1:4a", []),
    "a length with a sign": (b"+2:4a", []),
    "a broken length": (b"2.0:4a", []),
    "a length with an exponent": (b"2e0:4a", []),
    "a hexadecimal length": (b"0x2:4a", []),
    "a length with white space": (b" 2:4a", []),
    "a length with white space behind": (b"2 :4a", []),
    "a length in another script": ("\uff12:4a".encode(), []),
    "a length that is not a number": (b"NaN:4a", []),
    "an infinite length": (b"Infinity:4a", []),
    "a length of 16 digits": (b"0000000000000002:4a", []),
    "a length of 400 digits": (b"9" * 400 + b":4a", []),
    "a length in bytes": ("4:4€".encode(), []),
    "a length in characters": ("2:4😀".encode(), []),
    "a packet that ends inside a character": ("2:4😀1:2".encode(), []),
    "bytes that are not UTF-8, anywhere": (b"2:4a2:4\xff", []),
    "a surrogate in UTF-8": (b"2:4\xed\xa0\x80", []),
    "an unknown type": (b"2:4a2:7a", ["4a"]),
    "a letter": (b"1:x", []),
    "a binary payload": (b"\0\2\xff4a", []),
    "base64 without a type": (b"1:b", []),
    "base64 as in v4": (b"5:bAQID", []),
    "a ping in base64": (b"6:b2AQID", []),
    "no base64": (b"6:b4!!!!", []),
    "base64 without its padding": (b"4:b4AQ", []),
}

BINARY_REFUSED: dict[str, tuple[bytes, Packets]] = {
    "an empty body": (b"", []),
    "a payload in text": (b"2:4a", []),
    "an unknown kind": (b"\2\2\xff4a", []),
    "no length": (b"\0\xff4a", []),
    "a kind alone": (b"\0", []),
    "a length without its end": (b"\0\2", []),
    "a length that never ends": (b"\0" + b"\1" * 1000, []),
    "a length of 16 digits": (b"\0" + b"\0" * 15 + b"\2\xff4a", []),
    "a digit above nine": (b"\0\x0a\xff4aaaaaaaaa", []),
    "a digit in ASCII": (b"\0002\xff4a", []),
    "a packet that is too short": (b"\0\3\xff4a", []),
    "a second packet that is too short": (b"\0\2\xff4a\1\3\xff\4a", ["4a"]),
    "something behind the last packet": (b"\0\2\xff4a\0", ["4a"]),
    "an empty text": (b"\0\0\xff", []),
    "an empty binary": (b"\1\0\xff", []),
    "a binary packet without its type": (b"\1\3\xff\1\2\3", []),
    "a binary packet with its type in ASCII": (b"\1\3\xff4\1\2", []),
    "bytes that are not UTF-8": (b"\0\2\xff4a\0\2\xff4\xff", ["4a"]),
    "a length in characters": (b"\0\2\xff4\xe2\x82\xac", []),
    "an unknown type": (b"\0\2\xff9a", []),
}


@pytest.mark.parametrize("name", REFUSED)
def test_packets_before_a_bad_one_are_handed_over(name: str) -> None:
    body, before = REFUSED[name]
    packets, error = until_error(decode_payload(body))
    assert packets == before
    assert error is not None


@pytest.mark.parametrize("name", BINARY_REFUSED)
def test_packets_before_a_bad_one_are_handed_over_in_binary(name: str) -> None:
    body, before = BINARY_REFUSED[name]
    packets, error = until_error(decode_binary_payload(body))
    assert packets == before
    assert error is not None


def test_a_frame_is_a_packet() -> None:
    """Over WebSocket a binary message begins with its type, unless it comes as base64 in a text."""
    assert decode_text_frame("4hello") == "4hello"
    assert decode_text_frame("2probe") == "2probe"
    assert decode_text_frame("b4AQID") == b"\1\2\3"
    assert decode_binary_frame(bytes.fromhex("040102")) == b"\1\2"
    assert decode_binary_frame(BINARY_MESSAGE) == b""


@pytest.mark.parametrize("text", ["", "7", "x", "-1", "b", "b4!", "b2", "bAQID", "b04AQID", "\uff14"])
def test_a_text_frame_that_is_no_packet_is_refused(text: str) -> None:
    with pytest.raises(PacketError):
        decode_text_frame(text)


@pytest.mark.parametrize("data", [b"", b"4abc", b"\2", b"\0", b"\xff"])
def test_a_binary_frame_that_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(PacketError):
        decode_binary_frame(data)


@given(st.lists(TEXTS | st.text().map("4".__add__) | st.binary(), min_size=1))
def test_what_was_joined_comes_apart_again(packets: Packets) -> None:
    forms = [encoded(packet) for packet in packets]
    assert list(decode_payload(encode_payload(forms))) == packets
    assert list(decode_binary_payload(encode_binary_payload(forms))) == packets


PIECES = [b"1", b"2", b":", b"4", b"b4", b"AQ==", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\0", b"\1", b"\2", b"\4", b"\xff"]


@given(st.one_of(st.binary(), st.lists(st.sampled_from(PIECES)).map(b"".join)))
def test_no_body_raises_anything_else(body: bytes) -> None:
    for decode in (decode_payload, decode_binary_payload):
        packets, _ = until_error(decode(body))
        assert len(packets) <= len(body) / 3


# A megabyte each; a decoder that is not linear in it would not come back from one of them today.
HUGE: dict[str, Callable[[], bytes]] = {
    "digits": lambda: b"1" * 1_000_000,
    "zeros": lambda: b"0" * 1_000_000,
    "colons": lambda: b":" * 1_000_000,
    "lengths of nothing": lambda: b"0:" * 499_999 + b"0",
    "the smallest packets": lambda: b"1:2" * 333_333 + b"1",
    "the smallest packets of two units": lambda: "3:4😀".encode() * 160_000 + b"1",
    "digits in binary": lambda: b"\0" + b"\1" * 1_000_000,
    "the smallest packets in binary": lambda: b"\0\1\xff2" * 250_000 + b"\0",
    "the smallest binary packets": lambda: b"\1\1\xff\4" * 250_000 + b"\1",
    "the ends of lengths": lambda: b"\xff" * 1_000_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_a_megabyte_is_read_in_one_pass(name: str) -> None:
    body = HUGE[name]()
    for decode in (decode_payload, decode_binary_payload):
        assert until_error(decode(body))[1] is not None


def test_a_megabyte_in_one_packet_is_read() -> None:
    for text in ("a" * 1_000_000, "😀" * 250_000):
        assert list(decode_payload(encode_payload([f"4{text}".encode()]))) == ["4" + text]
        assert list(decode_binary_payload(encode_binary_payload([f"4{text}".encode()]))) == ["4" + text]
