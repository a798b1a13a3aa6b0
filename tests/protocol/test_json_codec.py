"""JSON: what is refused on the way in, and what becomes of Python's values on the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txsocketio.errors import PacketError, UnserializableData
from txsocketio.protocol.json_codec import dumps, dumps_with_attachments, loads
from txsocketio.types import Json

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)


def nested(leaves: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


READ = {
    "white space around": (" [1]\n", [1]),
    "keys that are names in JavaScript or Python": (
        '{"__proto__":1,"__class__":{"a":2}}',
        {"__proto__": 1, "__class__": {"a": 2}},
    ),
    "the last of equal keys": ('{"a":1,"a":2}', {"a": 2}),
    "a zero byte": ('"\\u0000"', "\0"),
    "a pair of surrogates": ('"\\ud83d\\ude00"', "😀"),
    "an integer beyond 64 bits, as JavaScript has it": ("123456789012345678901", 123456789012345678901.0),
    "a very small number": ("1e-400", 0.0),
    "many digits behind the point": ("0." + "1" * 5000, 0.1111111111111111),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(name: str) -> None:
    text, value = READ[name]
    assert loads(text) == value


# Rows 83-85 of the list of hostile input, and what orjson must go on refusing.
REFUSED = {
    "nothing": "",
    "white space": " ",
    "an open list": '["hi"',
    "something behind the value": "[1]x",
    "a comma too many": "[1,]",
    "single quotes": "['a']",
    "a byte order mark": "\ufeff[1]",
    "a control character": '"\x00"',
    "NaN": "NaN",
    "Infinity": "[Infinity]",
    "-Infinity": "[-Infinity]",
    "a number that is infinite": "1e400",
    "an integer of 5000 digits": "9" * 5000,
    "the digit of another script": "[\uff11]",
    "an escaped lone surrogate": '"\\ud800"',
    "a lone surrogate": '"\ud800"',
    "lists 247 deep": "[" * 247 + "]" * 247,
    "lists 1000 deep": "[" * 1000 + "]" * 1000,
    "lists 100 000 deep": "[" * 100_000 + "]" * 100_000,
    "objects 247 deep": '{"a":' * 247 + "1" + "}" * 247,
    "100 000 lists without an end": "[" * 100_000,
    "deep behind much that is flat": "[" + "[]," * 1000 + "[" * 300 + "]" * 300 + "]",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    with pytest.raises(PacketError):
        loads(REFUSED[name])


@pytest.mark.parametrize("text", ["[" * 246 + "]" * 246, '{"a":' * 246 + "1" + "}" * 246], ids=["lists", "objects"])
def test_what_is_just_not_too_deep_can_be_sent_on_inside_something_else(text: str) -> None:
    value = loads(text)
    assert dumps(value).decode() == text
    assert text in dumps({"packet": {"data": ["said", {"by": "me", "what": [value]}]}}).decode()


def test_width_is_not_depth() -> None:
    text = "[" + ",".join(["[[]]"] * 10_000) + "]"
    assert dumps(loads(text)).decode() == text


@given(nested(SCALARS))
def test_what_is_read_can_be_written(value: Json) -> None:
    assert loads(dumps(value).decode()) == value
    assert loads(dumps(loads(json.dumps(value))).decode()) == loads(json.dumps(value))


@given(st.one_of(st.text(), st.text("[]{}\",:0123456789eE-+. \\u'naNtrufls")))
def test_no_text_raises_anything_else(text: str) -> None:
    """A value that the strict reader of the standard library knows too, or the one error."""
    try:
        value = loads(text)
    except PacketError:
        return
    assert dumps(value)
    json.loads(text)


WRITTEN = {
    "compact": ({"a": [1, 2.5, None, True, "é"]}, '{"a":[1,2.5,null,true,"é"]}'.encode()),
    "a tuple as a list": ((1, (2,)), b"[1,[2]]"),
    "NaN and infinities as JavaScript does": ([float("nan"), float("inf"), float("-inf")], b"[null,null,null]"),
    "keys that are numbers": ({1: "a", 2.5: "b"}, b'{"1":"a","2.5":"b"}'),
    "keys that are None or booleans": ([{None: 1}, {True: 2}], b'[{"null":1},{"true":2}]'),
    "a time": (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), b'"2026-01-02T03:04:05+00:00"'),
}


@pytest.mark.parametrize("write", [dumps, lambda value: dumps_with_attachments(value)[0]], ids=["plain", "with"])
@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written(name: str, write: Callable[[Json], bytes]) -> None:
    value, text = WRITTEN[name]
    assert write(value) == text


def circle() -> list[Json]:
    value: list[Json] = []
    value.append(value)
    return value


def tower(levels: int) -> Json:
    value: Json = None
    for _ in range(levels):
        value = [value]
    return value


UNSERIALIZABLE = {
    "a set": [{1, 2}],
    "an object": object(),
    "a function": [print],
    "an integer beyond 64 bits": 2**64,
    "a negative integer beyond 64 bits": -(2**63) - 1,
    "a lone surrogate": ["\ud800"],
    "a lone surrogate as a key": {"\ud800": 1},
    "a key that is a tuple": {(1, 2): 3},
    "bytes as a key": {b"a": 1},
    "a list in itself": circle(),
    "300 levels": tower(300),
}


@pytest.mark.parametrize("write", [dumps, dumps_with_attachments])
@pytest.mark.parametrize("name", UNSERIALIZABLE)
def test_what_has_no_form_is_refused(name: str, write: Callable[[Json], object]) -> None:
    with pytest.raises(UnserializableData):
        write(UNSERIALIZABLE[name])


@pytest.mark.parametrize("value", [b"a", bytearray(b"a"), memoryview(b"a")], ids=["bytes", "bytearray", "memoryview"])
def test_bytes_are_refused_where_nothing_can_follow(value: Json) -> None:
    with pytest.raises(UnserializableData):
        dumps({"auth": value})


def test_the_error_names_the_type() -> None:
    with pytest.raises(UnserializableData, match="set"):
        dumps_with_attachments(["a", {1}])


def test_attachments_are_numbered_in_the_order_in_which_they_stand() -> None:
    text, attachments = dumps_with_attachments(["a", {"x": b"0", "y": [b"1"]}, b"2"])
    assert text == (
        b'["a",{"x":{"_placeholder":true,"num":0},"y":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":2}]'
    )
    assert attachments == [b"0", b"1", b"2"]


def test_there_may_be_more_than_ten_attachments() -> None:
    text, attachments = dumps_with_attachments([bytes((number,)) for number in range(12)])
    assert json.loads(text) == [{"_placeholder": True, "num": number} for number in range(12)]
    assert attachments == [bytes((number,)) for number in range(12)]


def test_the_same_bytes_twice_are_two_attachments() -> None:
    data = b"abc"
    assert dumps_with_attachments([data, data])[1] == [data, data]


def test_what_can_be_changed_is_copied() -> None:
    """The attachment stays what it was at the call, however late it is sent."""
    array, view = bytearray(b"abc"), memoryview(b"abcdef")[::2]
    _, attachments = dumps_with_attachments([array, view])
    array[0] = 0
    assert attachments == [b"abc", b"ace"]
    assert all(type(attachment) is bytes for attachment in attachments)


def test_keys_that_are_numbers_do_not_double_the_attachments() -> None:
    text, attachments = dumps_with_attachments([b"0", {1: b"1"}])
    assert text == b'[{"_placeholder":true,"num":0},{"1":{"_placeholder":true,"num":1}}]'
    assert attachments == [b"0", b"1"]
