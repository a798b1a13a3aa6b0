"""What messages look like on RabbitMQ, for servers and for emitters. Nothing here needs a connection."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

from pika import BasicProperties

from txsocketio.errors import BadMessage

#: The routing key that every node has bound.
ALL = "all"

#: The header in which the broker tells the offset of a record, and in which a consumer asks for one.
OFFSET = "x-stream-offset"

#: The header of a record that may be there already, as it was written before: all that is in front of this offset is
#: older.
BEHIND = "behind"

_SIZE = Struct(">I")


def join(head: bytes, body: bytes) -> bytes:
    """Both in one, as a frame of AMQP with headers must not be larger than 128 KiB."""
    return _SIZE.pack(len(head)) + head + body


def split(whole: bytes) -> tuple[bytes, bytes]:
    """The head and the body.

    Raises:
        BadMessage: these are not there.
    """
    if len(whole) < _SIZE.size:
        raise BadMessage("a message without a head")
    end = _SIZE.size + _SIZE.unpack_from(whole)[0]
    return whole[_SIZE.size : end], whole[end:]


def id_of(properties: BasicProperties) -> str:
    """What tells a message from all others: who sent it, and which of his it is."""
    return f"{properties.app_id}.{properties.message_id}"


def log_name(first: BasicProperties) -> str:
    """The name of the log whose record 0 has these properties."""
    return blake2b(id_of(first).encode(), digest_size=4).hexdigest()
