"""JSON on the wire, through orjson, with the refusals that a public server needs.

What `loads` accepts `dumps` can write again: orjson itself refuses NaN, infinities and lone surrogates, and reads
integers beyond 64 bits as floats; but it reads 1024 levels of nesting and writes only 254.
"""

from __future__ import annotations

import orjson

from txsocketio.errors import PacketError, UnserializableData
from txsocketio.types import Json

#: Levels that orjson can write.
_MAX_DEPTH = 254


def loads(text: str) -> Json:
    """The value that the text stands for. Hot path.

    Raises:
        PacketError: it is not JSON, or nested too deeply.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise PacketError("invalid payload") from None
    if len(text) > 2 * _MAX_DEPTH and text.count("[") + text.count("{") > _MAX_DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Json) -> None:
    try:
        orjson.dumps(value)
    except TypeError:
        raise PacketError("payload is nested too deeply") from None


def dumps(value: Json) -> bytes:
    """The value as compact JSON in UTF-8. Keys that are numbers, booleans or None become texts.

    Raises:
        UnserializableData: it has no form in JSON.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        pass
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise UnserializableData(str(error)) from None


def dumps_with_attachments(value: Json) -> tuple[bytes, list[bytes]]:
    """The value as JSON with a numbered placeholder for each `bytes` in it, and those bytes in that order. Hot path.

    Raises:
        UnserializableData: something else in it has no form in JSON.
    """
    attachments: list[bytes] = []

    def placeholder(item: object) -> Json:
        if not isinstance(item, (bytes, bytearray, memoryview)):
            raise TypeError(f"{type(item).__name__} has no form in JSON")
        attachments.append(bytes(item))
        return {"_placeholder": True, "num": len(attachments) - 1}

    try:
        return orjson.dumps(value, placeholder), attachments
    except TypeError:
        attachments.clear()
    try:
        return orjson.dumps(value, placeholder, orjson.OPT_NON_STR_KEYS), attachments
    except TypeError as error:
        raise UnserializableData(str(error.__cause__ or error)) from None
