"""Messages as bytes, for brokers that only our own nodes share.

    head    MessagePack  [type, node, namespace, opts]      whom it is about, so that most nodes need no more
    body    MessagePack  {"packet": ..., "requestId": ...}  the rest of the data

The two travel side by side where the broker has headers, else one behind the other, as MessagePack knows where it ends.
"""

from __future__ import annotations

from typing import NamedTuple

from msgpack import Packer, Unpacker, unpackb

from txsocketio.cluster.messages import Message
from txsocketio.errors import BadMessage, UnserializableData
from txsocketio.types import Json

_packer = Packer(use_bin_type=True, datetime=False)


class Head(NamedTuple):
    """What tells whether a node wants a message.

    Attributes:
        type: of the message.
        node: who sends it.
        namespace: which it is about.
        opts: whom it is about; None when that is no matter of clients.
    """

    type: int
    node: str
    namespace: str
    opts: dict[str, Json] | None


def encode(message: Message, namespace: str) -> tuple[bytes, bytes]:
    """The head and the body of a message.

    Raises:
        UnserializableData: something in it has no form on the wire.
    """
    data = {**message.data}
    opts = data.pop("opts", None)
    try:
        return _packer.pack((message.type, message.node, namespace, opts)), _packer.pack(data)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnserializableData(str(error)) from None


def decode_head(head: bytes) -> Head:
    """What the head tells.

    Raises:
        BadMessage: it cannot be understood.
    """
    return _head(_decode(head))


def decode(head: bytes | Head, body: bytes) -> Message:
    """The message.

    Raises:
        BadMessage: it cannot be understood.
    """
    if isinstance(head, bytes):
        head = decode_head(head)
    data = _decode(body)
    if not isinstance(data, dict):
        raise BadMessage("a body that is no map")
    if head.opts is not None:
        data["opts"] = head.opts
    return Message(head.type, data, head.node)


def split(whole: bytes) -> tuple[Head, bytes]:
    """The head and the body of what came in one piece.

    Raises:
        BadMessage: it cannot be understood.
    """
    unpacker = Unpacker(max_buffer_size=len(whole))
    unpacker.feed(whole)
    try:
        return _head(unpacker.unpack()), whole[unpacker.tell() :]
    except (ValueError, OverflowError) as error:
        raise BadMessage(f"no MessagePack: {error}") from None


def _decode(data: bytes) -> Json:
    try:
        return unpackb(data)
    except (ValueError, OverflowError) as error:
        raise BadMessage(f"no MessagePack: {error}") from None


def _head(fields: Json) -> Head:
    if isinstance(fields, list) and len(fields) == 4:
        head = Head(*fields)
        is_understood = isinstance(head.type, int) and isinstance(head.node, str) and isinstance(head.namespace, str)
        if is_understood and (head.opts is None or isinstance(head.opts, dict)):
            return head
    raise BadMessage("a head that cannot be understood")
