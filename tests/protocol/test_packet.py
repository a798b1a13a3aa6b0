"""Socket.IO packets, as the protocol's text and recorded sessions with the reference server show them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.test_json_codec import SCALARS, nested
from txsocketio.errors import PacketError, TooManyAttachments, UnserializableData
from txsocketio.protocol.packet import (
    ACK,
    BINARY_ACK,
    BINARY_EVENT,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    RESERVED_EVENTS,
    Decoder,
    DefaultParser,
    Packet,
    decode,
)
from txsocketio.types import Json

Parts = tuple[int, str, int | None, Json]

encode = DefaultParser(max_attachments=1000).encode


def parts(packet: Packet | None) -> Parts:
    """Type, namespace, id, data; the order of `encode`."""
    assert packet is not None
    assert packet.attachments == 0
    return packet.type, packet.namespace, packet.id, packet.data


def encoded(type: int, namespace: str, id: int | None, data: Json) -> tuple[bytes, list[bytes]]:
    text, attachments = encode(type, namespace, id, data)
    return text, list(attachments)


# Socket.IO protocol v5, "Packet encoding" and "Sample session"; recorded answers of the reference server.
TEXTS: dict[str, tuple[Parts, str]] = {
    "connect": ((CONNECT, "/", None, None), "0"),
    "connect with auth": ((CONNECT, "/", None, {"token": "123"}), '0{"token":"123"}'),
    "connect to a namespace": ((CONNECT, "/admin", None, {"token": "123"}), '0/admin,{"token":"123"}'),
    "connected": ((CONNECT, "/", None, {"sid": "unzD6yevqSOR4GWSAAAA"}), '0{"sid":"unzD6yevqSOR4GWSAAAA"}'),
    "connected to a namespace": ((CONNECT, "/dyn-7", None, {"sid": "h2-rX"}), '0/dyn-7,{"sid":"h2-rX"}'),
    "connected, recoverable": ((CONNECT, "/", None, {"sid": "a", "pid": "b"}), '0{"sid":"a","pid":"b"}'),
    "unknown namespace": (
        (CONNECT_ERROR, "/nope", None, {"message": "Invalid namespace"}),
        '4/nope,{"message":"Invalid namespace"}',
    ),
    "the query is part of the namespace": (
        (CONNECT_ERROR, "/dyn-7?a=b", None, {"message": "Invalid namespace"}),
        '4/dyn-7?a=b,{"message":"Invalid namespace"}',
    ),
    "refused by a middleware": (
        (CONNECT_ERROR, "/", None, {"message": "nope", "data": {"code": 7}}),
        '4{"message":"nope","data":{"code":7}}',
    ),
    "an error of an old server": ((CONNECT_ERROR, "/", None, "nope"), '4"nope"'),
    "disconnect": ((DISCONNECT, "/", None, None), "1"),
    "disconnect from a namespace": ((DISCONNECT, "/admin", None, None), "1/admin,"),
    "event": ((EVENT, "/", None, ["foo"]), '2["foo"]'),
    "event of a namespace": ((EVENT, "/admin", None, ["bar"]), '2/admin,["bar"]'),
    "event that wants an acknowledgement": ((EVENT, "/", 12, ["foo"]), '212["foo"]'),
    "both": ((EVENT, "/admin", 0, ["foo", {"a": [1]}]), '2/admin,0["foo",{"a":[1]}]'),
    "a comma in an argument": ((EVENT, "/", None, ["/a,b", "/c,"]), '2["/a,b","/c,"]'),
    "a comma in an argument, in a namespace": ((EVENT, "/n", None, ["/a,b"]), '2/n,["/a,b"]'),
    "a namespace with a hyphen and digits": ((EVENT, "/5-1", 3, ["x"]), '2/5-1,3["x"]'),
    "text beyond ASCII": ((EVENT, "/été", None, ["é", "😀"]), '2/été,["é","😀"]'),
    "acknowledgement": ((ACK, "/admin", 13, ["bar"]), '3/admin,13["bar"]'),
    "acknowledgement without arguments": ((ACK, "/", 7, []), "37[]"),
    "acknowledgement without an id": ((ACK, "/", None, ["x"]), '3["x"]'),
    "the longest id": ((ACK, "/", 999_999_999_999_999, [1]), "3999999999999999[1]"),
    "an event called error": ((EVENT, "/", None, ["error"]), '2["error"]'),
    "an event called as an attribute": ((EVENT, "/", None, ["__init__"]), '2["__init__"]'),
    "an event without a name": ((EVENT, "/", None, [""]), '2[""]'),
    "a number as name": ((EVENT, "/", None, [1, "a"]), '2[1,"a"]'),
    "a fraction as name": ((EVENT, "/", None, [0.5]), "2[0.5]"),
    "a name in JavaScript": ((EVENT, "/", None, ["a", {"__proto__": {"b": 1}}]), '2["a",{"__proto__":{"b":1}}]'),
    "a placeholder without attachments is data": (
        (EVENT, "/", None, ["a", {"_placeholder": True, "num": 0}]),
        '2["a",{"_placeholder":true,"num":0}]',
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_packet_has_this_text(name: str) -> None:
    packet, text = TEXTS[name]
    assert encoded(*packet) == (text.encode(), [])
    assert parts(decode(text)) == packet
    assert parts(Decoder().add(text)) == packet


# Texts that other implementations write.
TOLERATED: dict[str, tuple[str, Parts]] = {
    "the namespace / in full": ('2/,["a"]', (EVENT, "/", None, ["a"])),
    "the namespace / in full, with auth": ('0/,{"a":1}', (CONNECT, "/", None, {"a": 1})),
    "a namespace without a comma": ("0/dyn-5", (CONNECT, "/dyn-5", None, None)),
    "leaving a namespace without a comma": ("1/dyn-5", (DISCONNECT, "/dyn-5", None, None)),
    "a query in the namespace": ("0/chat?token=abc,", (CONNECT, "/chat?token=abc", None, None)),
    "an id with zeros in front": ('2007["a"]', (EVENT, "/", 7, ["a"])),
    "white space in the payload": ('2[ "a" , 1 ] ', (EVENT, "/", None, ["a", 1])),
    "an integer beyond 64 bits": ('2["a",123456789012345678901]', (EVENT, "/", None, ["a", 123456789012345678901.0])),
}


@pytest.mark.parametrize("name", TOLERATED)
def test_what_other_clients_write_is_understood(name: str) -> None:
    text, packet = TOLERATED[name]
    assert parts(decode(text)) == packet


# Rows 58-86 of the list of hostile input that are decided on the text, with what the reference says about it.
PAYLOAD = "invalid payload"
ILLEGAL = "Illegal attachments"
REFUSED = {
    "nothing": ("", "unknown packet type "),
    "an unknown type": ("7", "unknown packet type 7"),
    "a letter": ("abc", "unknown packet type a"),
    "a sign": ("-1", "unknown packet type -"),
    "the digit of another script": ('\uff12["a"]', "unknown packet type \uff12"),
    "connect with a list": ('0["a"]', PAYLOAD),
    "connect with a text": ('0"a"', PAYLOAD),
    "connect with null": ("0null", PAYLOAD),
    "connect with a number": ("01", PAYLOAD),
    "connect with an id": ("01{}", PAYLOAD),
    "connect with half an object": ('0{"a"', PAYLOAD),
    "disconnect with a payload": ('1"x"', PAYLOAD),
    "disconnect with an id": ("11", PAYLOAD),
    "disconnect with null": ("1null", PAYLOAD),
    "an error without a payload": ("4", PAYLOAD),
    "an error with a list": ("4[]", PAYLOAD),
    "an error with null": ("4null", PAYLOAD),
    "event without a payload": ("2", PAYLOAD),
    "event with an id and without a payload": ("212", PAYLOAD),
    "event with an object": ('2{"a":1}', PAYLOAD),
    "event with an empty list": ("2[]", PAYLOAD),
    "event with an empty list and an id": ("21[]", PAYLOAD),
    "event called null": ("2[null]", PAYLOAD),
    "event called true": ("2[true]", PAYLOAD),
    "event called by an object": ('2[{"toString":"x"}]', PAYLOAD),
    "event called by a list": ('2[["a"]]', PAYLOAD),
    "event with half a list": ('2["hi"', PAYLOAD),
    "event with something behind": ('2["hi"]x', PAYLOAD),
    "event with two payloads": ('2["hi"]["hi"]', PAYLOAD),
    "event with NaN": ('2["hi",NaN]', PAYLOAD),
    "event with Infinity": ('2["hi",-Infinity]', PAYLOAD),
    "event with 5000 digits": ('2["hi",' + "9" * 5000 + "]", PAYLOAD),
    "event with a lone surrogate": ('2["hi","\\ud800"]', PAYLOAD),
    "event 30 000 deep": ('2["echo",' + "[" * 30_000 + "]" * 30_000 + "]", PAYLOAD),
    "event 300 deep": ('2["echo",' + "[" * 300 + "]" * 300 + "]", "payload is nested too deeply"),
    "event for a namespace without a comma": ('2/chat["hi"]', PAYLOAD),
    "event with an id of 16 digits": ('21234567890123456["hi"]', PAYLOAD),
    "event with an id of 400 digits": ("2" + "9" * 400 + '["hi"]', PAYLOAD),
    "event with a negative id": ('2-1["hi"]', PAYLOAD),
    "event with a broken id": ('21.5["hi"]', PAYLOAD),
    "event with an exponent in its id": ('21e1["hi"]', PAYLOAD),
    "event with an id of another script": ('2\uff11["hi"]', PAYLOAD),
    "event with white space before the payload": ('2 ["hi"]', PAYLOAD),
    "event with a number of attachments": ('21-["hi"]', PAYLOAD),
    "event with the id before the namespace": ('212/chat,["hi"]', PAYLOAD),
    "acknowledgement with an object": ('31{"a":1}', PAYLOAD),
    "acknowledgement without a payload": ("31", PAYLOAD),
    "acknowledgement with an id of 400 digits": ("3" + "9" * 400 + "[]", PAYLOAD),
    "acknowledgement of a megabyte of digits": ("3" + "9" * 1_000_000, PAYLOAD),
    "binary without a number": ('5-["x"]', ILLEGAL),
    "binary without number and hyphen": ('5["x"]', ILLEGAL),
    "binary without a hyphen": ('51["x"]', ILLEGAL),
    "binary of a negative number": ('5-1-["x"]', ILLEGAL),
    "binary of a broken number": ('51.5-["x"]', ILLEGAL),
    "binary of a number with exponent, which the reference takes": ('51e1-["x"]', ILLEGAL),
    "binary of a hexadecimal number": ('50x1-["x"]', ILLEGAL),
    "binary of none": ('50-["x"]', ILLEGAL),
    "binary of a number with white space": ('5 1-["x"]', ILLEGAL),
    "binary of a number in another script": ('5\uff11-["x"]', ILLEGAL),
    "binary of 16 digits": ('51234567890123456-["x"]', ILLEGAL),
    "binary with the number behind the namespace": ('5/chat,1-["x"]', ILLEGAL),
    "binary of nothing else": ("5", ILLEGAL),
    "binary acknowledgement without a number": ('6-["x"]', ILLEGAL),
    "binary without a payload": ("51-", PAYLOAD),
    "binary called by its placeholder": ('51-[{"_placeholder":true,"num":0}]', PAYLOAD),
    "binary with a reserved name": ('51-["connect"]', PAYLOAD),
    "binary with an object": ("51-{}", PAYLOAD),
    "binary acknowledgement with an object": ("61-1{}", PAYLOAD),
} | {f"event called {name}": (f'2["{name}"]', PAYLOAD) for name in sorted(RESERVED_EVENTS)}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_protocol_does_not_allow_is_refused(name: str) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(PacketError) as raised:
        decode(text)
    assert str(raised.value) == reason


def test_the_reserved_names_are_those_of_the_reference() -> None:
    assert sorted(RESERVED_EVENTS) == [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ]


# Socket.IO protocol v5, "Packet encoding"; a recorded answer of the reference server.
BINARY: dict[str, tuple[Parts, str, list[bytes]]] = {
    "a recorded acknowledgement": (
        (ACK, "/", 1, ["pong", b"\x01\x02\x03"]),
        '61-1["pong",{"_placeholder":true,"num":0}]',
        [b"\x01\x02\x03"],
    ),
    "an event": (
        (EVENT, "/", None, ["baz", b"\x01\x02\x03\x04"]),
        '51-["baz",{"_placeholder":true,"num":0}]',
        [b"\x01\x02\x03\x04"],
    ),
    "an event of a namespace with two": (
        (EVENT, "/admin", None, ["baz", b"\x01\x02", b"\x03\x04"]),
        '52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        [b"\x01\x02", b"\x03\x04"],
    ),
    "an event with everything": (
        (EVENT, "/admin", 456, ["baz", {"a": [b"", {"b": b"1"}]}]),
        '52-/admin,456["baz",{"a":[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]}]',
        [b"", b"1"],
    ),
    "an acknowledgement of nothing else": (
        (ACK, "/admin", 456, [b"\x03\x02\x01"]),
        '61-/admin,456[{"_placeholder":true,"num":0}]',
        [b"\x03\x02\x01"],
    ),
    "the most that is allowed": (
        (EVENT, "/", None, ["x", *[b"a"] * 10]),
        '510-["x",' + ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(10)) + "]",
        [b"a"] * 10,
    ),
}


@pytest.mark.parametrize("name", BINARY)
def test_attachments_follow_the_text_and_come_back_in_their_places(name: str) -> None:
    packet, text, attachments = BINARY[name]
    assert encoded(*packet) == (text.encode(), attachments)
    assert parts(received(Decoder(), [text, *attachments])) == packet


def received(decoder: Decoder, messages: Sequence[str | bytes]) -> Packet | None:
    """What the last of the messages completes; the others complete nothing."""
    for message in messages[:-1]:
        assert decoder.add(message) is None
        assert decoder.waiting
    packet = decoder.add(messages[-1])
    assert not decoder.waiting
    return packet


def test_the_text_tells_already_what_is_coming() -> None:
    decoder = Decoder()
    decoder.add('52-/chat,7["x",{"_placeholder":true,"num":0}]')
    packet = decoder.incomplete
    assert packet is not None
    assert (packet.type, packet.namespace, packet.id, packet.attachments) == (BINARY_EVENT, "/chat", 7, 2)


def test_one_decoder_reads_one_packet_after_the_other() -> None:
    decoder = Decoder()
    for name in ["an event", "an event with everything", "a recorded acknowledgement"]:
        packet, text, attachments = BINARY[name]
        assert parts(received(decoder, [text, *attachments])) == packet
        assert parts(decoder.add('2["between"]')) == (EVENT, "/", None, ["between"])


def test_attachments_may_stand_in_any_order() -> None:
    text = '52-["x",{"_placeholder":true,"num":1},{"num":0,"_placeholder":true,"more":1}]'
    assert parts(received(Decoder(), [text, b"0", b"1"])) == (EVENT, "/", None, ["x", b"1", b"0"])


def test_what_only_resembles_a_placeholder_is_data() -> None:
    data = '[{"_placeholder":false,"num":9},{"_placeholder":1,"num":9},{"num":9},{"_placeholder":"true"}]'
    packet = received(Decoder(), [f'61-1[{data},{{"_placeholder":true,"num":0}}]', b"a"])
    assert parts(packet)[3] == [
        [{"_placeholder": False, "num": 9}, {"_placeholder": 1, "num": 9}, {"num": 9}, {"_placeholder": "true"}],
        b"a",
    ]


def test_an_attachment_that_nothing_asks_for_is_dropped() -> None:
    decoder, attachment = Decoder(), bytes(1000)
    references = sys.getrefcount(attachment)
    assert parts(received(decoder, ['51-["x"]', attachment])) == (EVENT, "/", None, ["x"])
    assert sys.getrefcount(attachment) == references


# Rows 75-80 of the list of hostile input: the messages, what the last one raises.
ONE = '51-["x",{"_placeholder":true,"num":0}]'
PLAINTEXT = "got plaintext data when reconstructing a packet"
UNEXPECTED = "got binary data when not reconstructing a packet"
TOO_MANY = "too many attachments"
BAD_PLACEHOLDER = "illegal attachments"
BAD_SEQUENCES: dict[str, tuple[list[str | bytes], str]] = {
    "eleven attachments": (['511-["x"]'], TOO_MANY),
    "9999999999 attachments": (['59999999999-["x"]'], TOO_MANY),
    "eleven attachments of an acknowledgement": (['611-1["x"]'], TOO_MANY),
    "text instead of an attachment": ([ONE, '2["x"]'], PLAINTEXT),
    "text instead of the second attachment": (['52-["x"]', b"a", '2["x"]'], PLAINTEXT),
    "a second binary event instead of an attachment": ([ONE, ONE], PLAINTEXT),
    "an empty text instead of an attachment": ([ONE, ""], PLAINTEXT),
    "binary without a text": ([b"a"], UNEXPECTED),
    "an empty binary without a text": ([b""], UNEXPECTED),
    "one attachment too many": ([ONE, b"a", b"b"], UNEXPECTED),
    "the attachments are too large together": (['52-["x"]', bytes(60), bytes(41)], "attachments are too large"),
    "one attachment is too large": (['52-["x"]', bytes(101)], "attachments are too large"),
    "a placeholder without a number": (['51-["x",{"_placeholder":true}]', b"a"], BAD_PLACEHOLDER),
    "two placeholders for one attachment": (
        ['51-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]', b"a"],
        BAD_PLACEHOLDER,
    ),
}
for number in ["1", "5", "-1", '"splice"', '"0"', "0.5", "0.0", "true", "null", "[0]", "1e20"]:
    text = f'51-["x",[{{"a":{{"_placeholder":true,"num":{number}}}}}]]'
    BAD_SEQUENCES[f"a placeholder for {number}"] = ([text, b"a"], BAD_PLACEHOLDER)


@pytest.mark.parametrize("name", BAD_SEQUENCES)
def test_a_bad_sequence_is_refused_at_its_last_message(name: str) -> None:
    messages, reason = BAD_SEQUENCES[name]
    decoder = Decoder(max_attachments_size=100)
    for message in messages[:-1]:
        decoder.add(message)
    with pytest.raises(PacketError) as raised:
        decoder.add(messages[-1])
    assert str(raised.value) == reason


def test_the_limits_themselves_are_allowed() -> None:
    decoder = DefaultParser(max_attachments=12, max_attachments_size=24).decoder()
    assert parts(received(decoder, ['512-["x"]', *[b"ab"] * 12]))[3] == ["x"]
    assert parts(received(decoder, ['512-["x"]', *[b"ab"] * 12]))[3] == ["x"]
    with pytest.raises(PacketError):
        decoder.add('513-["x"]')


def test_the_parser_of_the_options_is_made_of_these() -> None:
    parser = DefaultParser()
    text, attachments = parser.encode(EVENT, "/", None, ["x", b"a"])
    assert parts(received(parser.decoder(), [text.decode(), *attachments]))[3] == ["x", b"a"]


@pytest.mark.parametrize("type", [CONNECT, CONNECT_ERROR])
def test_only_events_and_acknowledgements_have_attachments(type: int) -> None:
    with pytest.raises(UnserializableData):
        encode(type, "/", None, {"a": b"1"})


def test_arguments_may_be_a_tuple() -> None:
    assert encode(EVENT, "/", None, ("x", 1))[0] == b'2["x",1]'


NAMESPACES = st.one_of(st.just("/"), st.text().map(lambda text: "/" + text.replace(",", "")))
IDS = st.none() | st.integers(0, 10**15 - 1)
ARGUMENTS = st.lists(nested(SCALARS | st.binary(max_size=20)), max_size=4)
NAMES = st.text().filter(lambda name: name not in RESERVED_EVENTS)


@given(st.sampled_from([EVENT, ACK]), NAMESPACES, IDS, NAMES, ARGUMENTS)
def test_events_and_acknowledgements_arrive_as_they_were_sent(
    type: int, namespace: str, id: int | None, name: str, arguments: list[Json]
) -> None:
    text, attachments = encode(type, namespace, id, [name, *arguments])
    packet = received(Decoder(max_attachments=1000), [text.decode(), *attachments])
    assert parts(packet) == (type, namespace, id, [name, *arguments])


@given(NAMESPACES, st.none() | st.dictionaries(st.text(), SCALARS))
def test_connects_arrive_as_they_were_sent(namespace: str, auth: Json) -> None:
    text, _ = encode(CONNECT, namespace, None, auth)
    assert parts(decode(text.decode())) == (CONNECT, namespace, None, auth)


FRAGMENTS = st.lists(
    st.sampled_from(
        [*'0123456789-,/[]{}"', "1-", "2-", '["x"', '["x"]', '{"_placeholder":true,"num":0}', "null", "/n,", "é", " "]
    )
).map("".join)
MESSAGES = st.one_of(
    st.text(),
    FRAGMENTS,
    st.builds('5{}-["x",{{"_placeholder":true,"num":{}}}]'.format, st.integers(0, 3), st.integers(-1, 3)),
)


@given(MESSAGES)
def test_no_text_raises_anything_else(text: str) -> None:
    """Only what can be sent again comes out, of a type that allows it."""
    try:
        packet = decode(text)
    except PacketError:
        return
    assert packet.namespace.startswith("/")
    assert (packet.attachments > 0) == (packet.type in (BINARY_EVENT, BINARY_ACK))
    if not packet.attachments:
        again, _ = encode(packet.type, packet.namespace, packet.id, packet.data)
        assert parts(decode(again.decode())) == parts(packet)


@given(st.lists(MESSAGES | st.binary(max_size=30)))
def test_no_sequence_raises_anything_else(messages: list[str | bytes]) -> None:
    """Of whatever comes, complete packets come out; never more is kept than the limits allow."""
    decoder = Decoder(max_attachments=2, max_attachments_size=40)
    for message in messages:
        try:
            packet = decoder.add(message)
        except PacketError:
            return
        assert packet is None or packet.type not in (BINARY_EVENT, BINARY_ACK)
        assert (packet is None) == decoder.waiting


# A megabyte each; a decoder that is not linear in it would not come back from one of them today.
HUGE = {
    "digits of an id": "2" + "1" * 1_000_000,
    "digits of a number of attachments": "5" + "1" * 1_000_000,
    "a namespace without an end": "2/" + "a" * 1_000_000,
    "a namespace of slashes": "2" + "/" * 1_000_000 + ",",
    "commas": "2/" + "," * 1_000_000,
    "hyphens": "5" + "-" * 1_000_000,
    "numbers of attachments": "5" + "1-" * 500_000,
    "payloads": "2" + '["x"]' * 200_000,
    "opening brackets": "2" + "[" * 1_000_000,
    "quotes": '2["' + '"' * 1_000_000,
    "backslashes": '2["' + "\\" * 1_000_001,
    "white space": "2[" + " " * 1_000_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_a_megabyte_of_nonsense_is_refused(name: str) -> None:
    with pytest.raises(PacketError):
        decode(HUGE[name])


def test_a_megabyte_of_sense_is_read() -> None:
    assert len(decode("0/" + "a" * 1_000_000).namespace) == 1_000_001
    assert len(decode('2["x"' + ",[]" * 300_000 + "]").data) == 300_001


def test_placeholders_are_found_however_many_other_objects_there_are() -> None:
    packet = received(Decoder(), ['51-["x"' + ",{}" * 300_000 + ',{"_placeholder":true,"num":0}]', b"a"])
    assert parts(packet)[3][-1] == b"a"


def test_more_attachments_than_clients_take() -> None:
    """To send them would cost the client its connection; whoever emits them learns so."""
    parser = DefaultParser()
    assert len(parser.encode(EVENT, "/", None, ["a", [b"x"] * 10])[1]) == 10
    for kind in (EVENT, ACK):
        with pytest.raises(TooManyAttachments, match=r"11 .* max_attachments, 10") as raised:
            parser.encode(kind, "/", 1, ["a", [b"x"] * 11])
        assert (raised.value.count, raised.value.limit) == (11, 10)
    assert len(DefaultParser(max_attachments=11).encode(EVENT, "/", None, ["a", [b"x"] * 11])[1]) == 11
