"""Calling the application, and taking header fields from it: its faults are logged and stay where they are.

What tells it of something may be a timer, the request of another client, or the end of the server: none of them must
suffer from what the application does with the news.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from twisted.logger import Logger

from txsocketio.engineio.exchange import Field, Fields
from txsocketio.types import Handler

log = Logger()

#: RFC 9110, 5.6.2 and 5.5: a token, and what a value may contain.
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")

#: What says where an answer ends, and what the connection is from then on.
_OURS = frozenset((b"connection", b"content-length", b"date", b"transfer-encoding", b"upgrade"))

#: What adds to a field of the same name; others take its place.
_ADDING = frozenset((b"set-cookie", b"vary"))


def tell(listener: Handler, *arguments: object) -> None:
    """Call a listener of the application."""
    try:
        listener(*arguments)
    except Exception:  # noqa: BLE001 - a border, the application's code
        log.failure("The listener {listener} failed", listener=listener)


def sendable(pairs: Iterable[tuple[object, object]]) -> list[Field]:
    """Header fields of the application, text or bytes, as bytes; one that would break the answer is left out.

    A list of values is several fields.
    """
    fields = []
    for name, values in pairs:
        for value in values if isinstance(values, (list, tuple)) else (values,):
            field = _bytes(name), _bytes(value)
            if _NAME.fullmatch(field[0]) and _VALUE.fullmatch(field[1]) and field[0].lower() not in _OURS:
                fields.append(field)
            else:
                log.error("The header field {name!r}: {value!r} cannot be sent", name=name, value=value)
    return fields


def overridden(fields: Iterable[Field], given: Fields) -> list[Field]:
    """The fields, with what is given in the place of those that have the same name."""
    names = {name.lower() for name, _ in given} - _ADDING
    return [*(field for field in fields if field[0].lower() not in names), *given]


def _bytes(text: object) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return str(text).encode("latin-1")
    except UnicodeEncodeError:
        return b"\0"  # which no field may contain
