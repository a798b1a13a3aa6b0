"""Messages as the servers of the npm package @socket.io/redis-streams-adapter write them.

    entry of a stream     uid NODE nsp NAMESPACE type 3 data {"packet":...,"opts":...} n 17 opts {...}

        data is JSON, or base64 of MessagePack where bytes are in it; n, the number of the message, is ours, and so are
        the opts of a large event apart from its data

    channel of a node     MessagePack   {type, data, uid, nsp}

The id of an entry, two numbers, is the offset that clients get, and as one number its position.
Source: @socket.io/redis-streams-adapter 0.3, "lib/util.ts".
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from msgpack import Packer, unpackb

from txsocketio.adapters.redis.pubsub import LARGE
from txsocketio.cluster.messages import BROADCAST, Message
from txsocketio.errors import BadMessage, UnserializableData
from txsocketio.protocol.json_codec import dumps
from txsocketio.types import Json

#: The second number of an id, as that of the position, has so many bits.
_BITS = 64
_SECOND = (1 << _BITS) - 1
_OFFSET = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)


class Written(NamedTuple):
    """What is written to a stream of a message, beside the name of its node."""

    number: int
    namespace: bytes
    type: str
    data: bytes
    opts: bytes = b""


# --- ids ---


def position_of(id: bytes) -> int:
    """The position of the entry with this id, as Redis tells it."""
    milliseconds, _, sequence = id.partition(b"-")
    return int(milliseconds) << _BITS | int(sequence)


def position_of_offset(offset: str) -> int | None:
    """The position of the entry with this offset, as a client tells it; None if it cannot be one."""
    match = _OFFSET.fullmatch(offset)
    if match is None:
        return None
    milliseconds, sequence = int(match[1]), int(match[2])
    return milliseconds << _BITS | sequence if max(milliseconds, sequence) <= _SECOND else None


def offset_of(position: int) -> str:
    """The id of the entry at this position."""
    return f"{position >> _BITS}-{position & _SECOND}"


# --- entries ---


class EntryMessage(Message):
    """A message of a stream. Its data and opts are decoded when somebody wants to know what is in them.

    Reading them can raise BadMessage.

    Attributes:
        has_opts: whether the opts are known without the data; then it is an event that nobody has to acknowledge.
    """

    __slots__ = ("_text", "has_opts")

    def __init__(self, type: int, node: str, number: int, text: bytes, opts: bytes) -> None:
        self.type = type
        self.node = node
        self.number = number
        self.has_opts = bool(opts)
        self._text = text
        if opts:
            self.opts = _decode_data(opts)

    def __getattr__(self, name: str) -> Json:
        # Called where a slot is empty, so that reading a full one costs nothing more.
        if name not in ("data", "opts"):
            raise AttributeError(name)
        data = _decode_data(self._text)
        self.opts = data.pop("opts", None)
        self.data = data
        return getattr(self, name)

    @property
    def wants_answer(self) -> bool:
        """Whether an event is to be acknowledged: to another node, or to a server of Node.js that has the client."""
        if self.has_opts:
            return False
        packet = self.data.get("packet")
        return self.request is not None or (isinstance(packet, dict) and "id" in packet)

    def forget(self) -> None:
        """Keep the text only, which takes a fifth of the memory of what it stands for."""
        for name in ("data", *(() if self.has_opts else ("opts",))):
            with suppress(AttributeError):
                delattr(self, name)


def encode_entry(message: Message, namespace: str, only_plaintext: bool) -> Written:
    """What is written to the stream.

    Raises:
        UnserializableData: something in it has no form on the wire.
    """
    data = _with_opts(message)
    try:
        text = dumps(data)
    except UnserializableData:
        if only_plaintext:
            raise
        text = b64encode(_pack(data))
    is_large_event = len(text) >= LARGE and message.type == BROADCAST and message.request is None
    opts = dumps(message.opts) if is_large_event else b""
    return Written(message.number, namespace.encode(), str(message.type.real), text, opts)


def namespace_of(fields: Sequence[bytes]) -> str:
    """Whose message an entry is, found without looking at all of it."""
    # Everybody writes it second, and nobody has to.
    name = fields[3] if len(fields) > 3 and fields[2] == b"nsp" else _named(fields).get(b"nsp", b"")
    return name.decode(errors="replace")


def decode_entry(fields: Sequence[bytes]) -> EntryMessage:
    """The message that an entry is; of type 0 if that cannot be told.

    Raises:
        BadMessage: its opts, apart from the data, cannot be understood.
    """
    get = _named(fields).get
    node, opts = get(b"uid", b"").decode(errors="replace"), get(b"opts", b"")
    return EntryMessage(_number(get(b"type")), node, _number(get(b"n")), get(b"data", b""), opts)


def _named(fields: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(fields[::2], fields[1::2], strict=False))


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 20 else 0


def _decode_data(text: bytes) -> dict[str, Json]:
    try:
        data = orjson.loads(text) if text.startswith(b"{") else _unpack(b64decode(text, validate=True))
    except ValueError as error:
        raise BadMessage(f"an entry with data that cannot be understood: {error}") from None
    if not isinstance(data, dict):
        raise BadMessage("an entry with data that are no map")
    return data


# --- messages of channels ---


def encode(message: Message, namespace: str) -> bytes:
    """What is published.

    Raises:
        UnserializableData: something in it has no form on the wire.
    """
    return _pack({"type": message.type.real, "data": _with_opts(message), "uid": message.node, "nsp": namespace})


def decode(content: bytes) -> tuple[str, Message]:
    """The namespace of what was published, and the message.

    Raises:
        BadMessage: it cannot be understood.
    """
    try:
        fields = _unpack(content)
    except ValueError as error:
        raise BadMessage(f"no MessagePack: {error}") from None
    if not isinstance(fields, dict):
        raise BadMessage("a message that is no map")
    type, data, node, namespace = fields.get("type"), fields.get("data", {}), fields.get("uid"), fields.get("nsp")
    if not (isinstance(type, int) and isinstance(data, dict) and isinstance(node, str) and isinstance(namespace, str)):
        raise BadMessage("a message without a type, data, a sender or a namespace")
    opts = data.pop("opts", None)
    return namespace, Message(type, data, opts, node)


# --- what both have in common ---


def _with_opts(message: Message) -> dict[str, Json]:
    """The data as they are on the wire, in the order of the reference server."""
    if message.opts is None:
        return message.data
    if message.type == BROADCAST:
        return {**message.data, "opts": message.opts}
    return {"opts": message.opts, **message.data}


def _json_form(value: object) -> Json:
    """What only JSON has a form for gets that one."""
    return orjson.loads(dumps(value))


# Kept: making one takes as long as packing a small message.
_packed: Callable[[Json], bytes] = Packer(default=_json_form).pack


def _pack(value: Json) -> bytes:
    try:
        return _packed(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnserializableData(str(error)) from None


def _unpack(content: bytes) -> Any:
    """Raises: ValueError."""
    try:
        return unpackb(content, timestamp=3)
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None
