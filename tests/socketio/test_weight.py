"""What decoded values take in memory."""

from __future__ import annotations

import tracemalloc

import pytest

from txsocketio.protocol.json_codec import loads
from txsocketio.socketio.weight import weight_of

#: JSON of about the same length, which takes very different amounts.
TEXTS = {
    "text": '["' + "a" * 100_000 + '"]',
    "wide text": '["\U0001f600' + "a" * 100_000 + '"]',
    "numbers": "[" + ",".join(str(number) for number in range(1000, 20_000)) + "]",
    "empty lists": "[" + ",".join(["[]"] * 33_000) + "]",
    "lists in lists": "[" + ",".join(["[[[[]]]]"] * 11_000) + "]",
    "objects": "[" + ",".join(f'{{"{number}":{number}}}' for number in range(1000, 9000)) + "]",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_weight_is_what_is_allocated(text: str) -> None:
    """A fifth more or less: what several values share counts for each."""
    tracemalloc.start()
    value = loads(text)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken * 0.8 < weight_of(value) < taken * 1.2


def test_values_without_parts() -> None:
    assert weight_of(None) < weight_of("a") < weight_of(b"a" * 1000)
