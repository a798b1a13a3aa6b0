"""How much memory takes what a client has sent.

A megabyte of JSON may be twenty of lists: `[[],[],[],...]`. Whatever is kept of a client for longer than its message is
handled is therefore bounded by what it takes, and not by its length on the wire.
"""

from __future__ import annotations

from sys import getsizeof

from txsocketio.types import Json


def weight_of(value: Json) -> int:
    """Bytes that a decoded value takes (CPython's own figures; what occurs twice counts twice)."""
    total = 0
    pending = [value]
    for each in pending:  # grows meanwhile
        total += getsizeof(each)
        kind = each.__class__
        if kind is list:
            pending += each
        elif kind is dict:
            pending += each
            pending += each.values()
    return total
