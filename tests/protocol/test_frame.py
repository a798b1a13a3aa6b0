"""WebSocket frames: what is sent, and what may be taken from a read without a complete WebSocket implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txsocketio.protocol.frame import BINARY, COMPRESSED, TEXT, encode_frame, unmask, whole_messages

KEY = b"\x37\xfa\x21\x3d"
LIMIT = 1_000_000


def plain_xor(data: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


def masked(head: int, payload: bytes, key: bytes = KEY) -> bytes:
    """The frame as a client sends it."""
    frame = encode_frame(head, payload)
    header = frame[: len(frame) - len(payload)]
    return header[:1] + bytes((header[1] | 0x80,)) + header[2:] + key + plain_xor(payload, key)


# RFC 6455, section 5.7, "Examples"; the server's side of a recorded session.
ENCODED = {
    "a text": (TEXT, b"Hello", bytes.fromhex("810548656c6c6f")),
    "an empty text": (TEXT, b"", bytes.fromhex("8100")),
    "the longest with a short header": (TEXT, b"x" * 125, bytes.fromhex("817d") + b"x" * 125),
    "the shortest with a length of 16 bits": (BINARY, b"x" * 126, bytes.fromhex("827e007e") + b"x" * 126),
    "256 bytes": (BINARY, bytes(256), bytes.fromhex("827e0100") + bytes(256)),
    "the longest with a length of 16 bits": (BINARY, bytes(65535), bytes.fromhex("827effff") + bytes(65535)),
    "a compressed text": (TEXT | COMPRESSED, b"\xf2\x00", bytes.fromhex("c102f200")),
    "a compressed binary": (BINARY | COMPRESSED, bytes(126), bytes.fromhex("c27e007e") + bytes(126)),
    "64 KiB": (BINARY, bytes(65536), bytes.fromhex("827f0000000000010000") + bytes(65536)),
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_frame_has_the_shortest_header_and_no_mask(name: str) -> None:
    head, payload, frame = ENCODED[name]
    assert encode_frame(head, payload) == frame


def test_the_masked_text_of_the_standard_is_read() -> None:
    frame = bytes.fromhex("818537fa213d7f9f4d5158")
    assert whole_messages(frame, LIMIT) == (["Hello"], len(frame))


@pytest.mark.parametrize(
    "size", [*range(12), 1023, 1024, 1027, 1028, 1029, 4095, 4096, 4097, 6143, 6144, 6145, 100_003]
)
def test_unmasking_is_the_same_in_every_way_that_it_is_done(size: int) -> None:
    data = bytes(index * 7 & 255 for index in range(size))
    assert unmask(data, KEY) == plain_xor(data, KEY)


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking_twice_changes_nothing(data: bytes, key: bytes) -> None:
    assert unmask(unmask(data, key), key) == data
    assert unmask(data, key) == plain_xor(data, key)


SIZES = [0, 1, 3, 4, 5, 124, 125, 126, 127, 1000, 65535, 65536, 70_001]


@pytest.mark.parametrize("size", SIZES)
def test_a_message_of_any_size_is_read(size: int) -> None:
    data = bytes(index * 5 & 255 for index in range(size))
    assert whole_messages(masked(BINARY, data), LIMIT) == ([data], len(masked(BINARY, data)))
    text = "é" * (size // 2)
    assert whole_messages(masked(TEXT, text.encode()), LIMIT)[0] == [text]


@pytest.mark.parametrize("size", [10, 125, 126, 65535, 65536, 70_000])
def test_the_limit_itself_is_allowed_and_one_more_is_not(size: int) -> None:
    frame = masked(BINARY, bytes(size))
    assert whole_messages(frame, size) == ([bytes(size)], len(frame))
    assert whole_messages(frame, size - 1) == ([], 0)


# What is left to the complete implementation, each behind a good frame.
LEFT_ALONE = {
    "nothing": b"",
    "a frame with one byte missing": masked(TEXT, b"hello")[:-1],
    "a 16 bit length with one byte missing": masked(TEXT, b"x" * 200)[:-1],
    "a 64 bit length with one byte missing": masked(TEXT, b"x" * 70_000)[:-1],
    "half a header": b"\x81",
    "a header without its key": b"\x81\x85abc",
    "a 16 bit length cut in two": b"\x81\xfe\x01",
    "a 64 bit length cut in two": b"\x81\xff\0\0\0\0\0",
    "a 64 bit length without its key": b"\x81\xff\0\0\0\0\0\1\0\0ab",
    "an unmasked frame": encode_frame(TEXT, b"hello, this is long enough"),
    "an unmasked frame of 16 bits": encode_frame(TEXT, b"x" * 300),
    "an unmasked frame of 64 bits": encode_frame(TEXT, b"x" * 70_000),
    "a first fragment": masked(TEXT, b"hello").replace(b"\x81", b"\x01", 1),
    "a last fragment": masked(TEXT, b"hello").replace(b"\x81", b"\x80", 1),
    "a compressed message (RSV1)": masked(TEXT, b"hello").replace(b"\x81", b"\xc1", 1),
    "RSV2": masked(TEXT, b"hello").replace(b"\x81", b"\xa1", 1),
    "RSV3": masked(TEXT, b"hello").replace(b"\x81", b"\x91", 1),
    "a reserved opcode": masked(TEXT, b"hello").replace(b"\x81", b"\x83", 1),
    "a close frame": masked(TEXT, b"\x03\xe8").replace(b"\x81", b"\x88", 1),
    "a ping": masked(TEXT, b"").replace(b"\x81", b"\x89", 1),
    "a pong": masked(TEXT, b"").replace(b"\x81", b"\x8a", 1),
    "a text that is not UTF-8": masked(TEXT, b"a\xff"),
    "a surrogate in UTF-8": masked(TEXT, b"\xed\xa0\x80"),
    "an overlong form in UTF-8": masked(TEXT, b"\xc0\xaf"),
    "a length of 5 in 16 bits": b"\x81\xfe\0\5" + KEY + plain_xor(b"hello", KEY),
    "a length of 5 in 64 bits": b"\x81\xff" + bytes(7) + b"\5" + KEY + plain_xor(b"hello", KEY),
    "a length of 65535 in 64 bits": b"\x82\xff\0\0\0\0\0\0\xff\xff" + KEY + bytes(65535),
    "a length of 2^63": b"\x81\xff\x80" + bytes(7) + KEY + b"hello",
    "a length of 2^64 - 1": b"\x81\xff" + b"\xff" * 8 + KEY + b"hello",
    "2 MB announced": b"\x81\xff\0\0\0\0\0\x1e\x84\x80" + KEY,
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_is_not_a_whole_plain_message_is_left_alone(name: str) -> None:
    good = masked(TEXT, b"good")
    assert whole_messages(good + LEFT_ALONE[name], LIMIT) == (["good"], len(good))
    assert whole_messages(LEFT_ALONE[name], LIMIT) == ([], 0)


MESSAGES = st.lists(st.one_of(st.text(max_size=200), st.binary(max_size=200)), max_size=5)


@given(MESSAGES, st.binary(min_size=4, max_size=4), st.data())
def test_a_read_may_end_anywhere(messages: list[str | bytes], key: bytes, data: st.DataObject) -> None:
    """Messages that are complete are delivered, and exactly the bytes of the rest are left."""
    frames = [
        masked(TEXT, message.encode(), key) if isinstance(message, str) else masked(BINARY, message, key)
        for message in messages
    ]
    stream = b"".join(frames)
    cut = data.draw(st.integers(0, len(stream)))
    complete = 0
    while complete < len(frames) and sum(map(len, frames[: complete + 1])) <= cut:
        complete += 1
    assert whole_messages(stream[:cut], LIMIT) == (messages[:complete], sum(map(len, frames[:complete])))


@given(st.binary(max_size=400), st.integers(0, 300))
def test_no_input_raises_or_takes_more_than_there_is(data: bytes, limit: int) -> None:
    messages, taken = whole_messages(data, limit)
    assert 0 <= taken <= len(data)
    assert all(len(message) <= limit for message in messages)
    assert whole_messages(data[taken:], limit) == ([], 0)


def test_a_megabyte_of_the_smallest_frames_is_read_in_one_pass() -> None:
    """Each frame costs the same, wherever it stands."""
    frame = masked(TEXT, b"2")
    count = LIMIT // len(frame)
    assert whole_messages(frame * count, LIMIT) == (["2"] * count, len(frame) * count)
