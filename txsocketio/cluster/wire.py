"""Messages as bytes, for brokers that only our own nodes share.

    head    MessagePack  [type, node, number, namespace, opts]      whom it is about, so that most nodes need no more
    body    MessagePack  {"packet": ..., "requestId": ...}          the data

The two travel side by side where the broker has headers, else one behind the other, as MessagePack knows where it ends.
"""

from __future__ import annotations

from typing import NamedTuple

from msgpack import OutOfData, Packer, Unpacker, unpackb

from txsocketio.cluster.messages import Message
from txsocketio.errors import BadMessage, UnserializableData
from txsocketio.types import Json

_pack = Packer().pack


class Head(NamedTuple):
    """What tells whether a node wants a message.

    Attributes:
        type: of the message.
        node: who sends it.
        number: of those messages of this node that are in the log.
        namespace: which it is about.
        opts: whom it is about; None when that is no matter of clients.
    """

    type: int
    node: str
    number: int
    namespace: str
    opts: dict[str, Json] | None


_KINDS = (int, str, int, str, dict | None)


class LateMessage(Message):
    """A message whose body is decoded when somebody wants to know what is in it."""

    __slots__ = ("_data", "body")

    def __init__(self, head: Head, body: bytes) -> None:
        self.type = head.type
        self.opts = head.opts
        self.node = head.node
        self.number = head.number
        self.body = body
        self._data: dict[str, Json] | None = None

    @property
    def data(self) -> dict[str, Json]:  # type: ignore[override]
        """Raises: BadMessage: the body cannot be understood."""
        if self._data is None:
            data = _decode(self.body)
            if not isinstance(data, dict):
                raise BadMessage("a body that is no map")
            self._data = data
        return self._data


def encode(message: Message, namespace: str) -> tuple[bytes, bytes]:
    """The head and the body of a message.

    Raises:
        UnserializableData: something in it has no form on the wire.
    """
    head = Head(message.type, message.node, message.number, namespace, message.opts)
    try:
        return _pack(head), _pack(message.data)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnserializableData(str(error)) from None


def decode_head(head: bytes) -> Head:
    """What the head tells.

    Raises:
        BadMessage: it cannot be understood.
    """
    return _head(_decode(head))


def split(whole: bytes) -> tuple[Head, bytes]:
    """The head and the body of what came in one piece.

    Raises:
        BadMessage: it cannot be understood.
    """
    unpacker = Unpacker(max_buffer_size=len(whole))
    unpacker.feed(whole)
    try:
        return _head(unpacker.unpack()), whole[unpacker.tell() :]
    except (ValueError, OverflowError, OutOfData) as error:
        raise BadMessage(f"no MessagePack: {error}") from None


def _decode(data: bytes) -> Json:
    try:
        return unpackb(data)
    except (ValueError, OverflowError) as error:
        raise BadMessage(f"no MessagePack: {error}") from None


def _head(fields: Json) -> Head:
    if isinstance(fields, list) and len(fields) == len(_KINDS) and all(map(isinstance, fields, _KINDS)):
        return Head(*fields)
    raise BadMessage("a head that cannot be understood")
