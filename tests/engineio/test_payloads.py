"""The bodies of long-polling, in each of their forms."""

from __future__ import annotations

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from txsocketio.engineio.answers import TEXT
from txsocketio.engineio.payloads import BINARY, JSONP, OCTETS, V3, V3_TEXT, V4, Payloads, payloads_of
from txsocketio.errors import PacketError

PACKETS = [b"4hello", b"bAQID"]


def decoded(form: Payloads, body: bytes, kind: bytes | None = None) -> list[str | bytes]:
    decode = form.decoder(kind)
    assert decode is not None
    return list(decode(body))


@pytest.mark.parametrize(
    ("protocol", "query", "form"),
    [(4, {}, V4), (4, {"b64": "1"}, V4), (3, {}, V3), (3, {"b64": ""}, V3), (3, {"b64": "1"}, V3_TEXT)],
)
def test_handshake_chooses_the_form(protocol: int, query: dict[str, str], form: Payloads) -> None:
    assert payloads_of(protocol, query) is form


@pytest.mark.parametrize(
    ("form", "packets", "answer"),
    [
        (V4, PACKETS, (TEXT, b"4hello\x1ebAQID")),
        (V3, PACKETS[:1], (TEXT, b"6:4hello")),
        (V3, PACKETS, (BINARY, b"\0\6\xff4hello\1\4\xff\4\1\2\3")),
        (V3_TEXT, PACKETS, (TEXT, b"6:4hello6:b4AQID")),
        (payloads_of(4, {"j": "2"}), PACKETS, (TEXT, b'___eio[2]("4hello\\u001ebAQID");')),
        (payloads_of(3, {"j": "2"}), PACKETS, (TEXT, b'___eio[2]("6:4hello6:b4AQID");')),
    ],
)
def test_answers_to_polls(form: Payloads, packets: list[bytes], answer: object) -> None:
    assert form.encode(packets) == answer


def test_bodies_of_posts() -> None:
    assert decoded(V4, b"4hello\x1ebAQID") == ["4hello", b"\1\2\3"]
    assert V4.decoder(OCTETS) is None
    for form in (V3, V3_TEXT):
        assert decoded(form, b"6:4hello6:b4AQID") == ["4hello", b"\1\2\3"]
        assert decoded(form, b"\0\6\xff4hello\1\4\xff\4\1\2\3", OCTETS) == ["4hello", b"\1\2\3"]


# JSONP


def test_script_calls_a_numbered_function_and_no_other() -> None:
    """A page must not be given a script that somebody else has written."""
    script = JSONP(V4, "0);alert(1)//").encode([b"6"])[1]
    assert script == b'___eio[01]("6");'


def test_script_has_no_line_separator() -> None:
    """These end a line in JavaScript, also within a string."""
    script = JSONP(V4, "0").encode(['4\u2028\u2029"\\</script>'.encode()])[1].decode()
    assert script == '___eio[0]("4\\u2028\\u2029\\"\\\\</script>");'


def test_form_without_the_field_is_nothing() -> None:
    form = JSONP(V4, "0")
    assert decoded(form, b"") == decoded(form, b"dd=4a&e=4b") == decoded(form, b"x" * 100_000) == []


def test_field_of_nothing_is_no_packet() -> None:
    with pytest.raises(PacketError):
        decoded(JSONP(V4, "0"), b"d=")


def test_field_among_others() -> None:
    assert decoded(JSONP(V4, "0"), b"a=1&d=4a%20b+c&d=4x") == ["4a b c"]


@pytest.mark.parametrize("protocol", [4, 3])
def test_post_is_a_form_whatever_its_type_says(protocol: int) -> None:
    packet = quote_plus("4a" if protocol == 4 else "2:4a")
    assert decoded(payloads_of(protocol, {"j": "0"}), f"d={packet}".encode(), OCTETS) == ["4a"]


@given(st.lists(st.sampled_from(["\\", "n", "\n", "%", "+", "&", "\u017c", " "])).map("".join))
def test_what_clients_write_is_read(text: str) -> None:
    """A line feed is written as a backslash and an "n", as forms would change it; those two get one more before."""
    assume("\\\n" not in text)  # looks the same then; in JSON there is no line feed
    written = text.replace("\\n", "\\\\n").replace("\n", "\\n")
    assert decoded(JSONP(V4, "0"), f"d=4{quote_plus(written)}".encode()) == ["4" + text]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_scripts_are_json_within(texts: list[str]) -> None:
    body = JSONP(V3_TEXT, "7").encode([b"4" + text.encode() for text in texts])[1].decode()
    assert body.startswith("___eio[7](") and body.endswith(");")
    packets = json.loads(body[len("___eio[7](") : -2])
    assert packets == V3_TEXT.encode([b"4" + text.encode() for text in texts])[1].decode()
