"""A message on its way out: encoded once, in the form that is asked for."""

from __future__ import annotations

import sys

import pytest

from tests.engineio.line import read_frames
from txsocketio.engineio.outgoing import OVERHEAD, Bundle, Outgoing


@pytest.mark.parametrize(
    ("outgoing", "frames", "packets"),
    [
        (Outgoing(b"hello"), ["4hello"], [b"4hello"]),
        (Outgoing(b""), ["4"], [b"4"]),
        (Outgoing(None, [b"\1\2\3"]), [b"\1\2\3"], [b"bAQID"]),
        (Outgoing(None, [b""]), [b""], [b"b"]),
        (Outgoing(b"text", [b"\1", b"\2"]), ["4text", b"\1", b"\2"], [b"4text", b"bAQ==", b"bAg=="]),
        (Outgoing.packet(b"2"), ["2"], [b"2"]),
        (
            Bundle([Outgoing(b"a"), Outgoing(b"b", [b"\1"]), Outgoing(None, [b"\2"])]),
            ["4a", "4b", b"\1", b"\2"],
            [b"4a", b"4b", b"bAQ==", b"bAg=="],
        ),
        (Outgoing(b"x" * 125), ["4" + "x" * 125], [b"4" + b"x" * 125]),
        (Outgoing(b"x" * 70_000), ["4" + "x" * 70_000], [b"4" + b"x" * 70_000]),
    ],
    ids=["text", "empty", "binary", "empty binary", "attachments", "packet", "bundle", "16 bits", "64 bits"],
)
def test_forms(outgoing: Outgoing, frames: list[str | bytes], packets: list[bytes]) -> None:
    """Source: Engine.IO protocol v4, "Packet encoding": binary is base64 over long-polling, bare over WebSocket."""
    assert read_frames(outgoing.frames()) == frames
    assert outgoing.packets() == packets


def test_each_form_is_made_once() -> None:
    """A broadcast hands the same bytes to everybody."""
    outgoing = Outgoing(b"news", [b"x"])
    assert outgoing.frames() is outgoing.frames()
    assert outgoing.packets() is outgoing.packets()


def test_size_is_about_what_it_keeps() -> None:
    assert Outgoing(b"hello", [b"x" * 5, b"y" * 5]).size == OVERHEAD + 15
    assert sys.getsizeof(Outgoing(b"")) + sys.getsizeof(b"") <= OVERHEAD
    assert Bundle([Outgoing(b"a" * 10), Outgoing(b"b" * 10)]).size == 2 * Outgoing(b"a" * 10).size
