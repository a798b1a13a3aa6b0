"""Socket.IO protocol v5: packets in the default encoding, a text and the binary attachments behind it.

    <type>[<number of attachments>-][<namespace>,][<acknowledgement id>][<payload in JSON>]

    2["hello",1]                                         an event for "/"
    2/chat,12["hello"]                                   an event for "/chat" that wants acknowledgement 12
    51-["file",{"_placeholder":true,"num":0}] + binary   an event with one attachment

Source: Socket.IO protocol v5, "Packet encoding"; https://github.com/socketio/socket.io-protocol
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from txsocketio.errors import PacketError
from txsocketio.protocol.json_codec import dumps, dumps_with_attachments, loads
from txsocketio.types import Json

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)

#: Names of events that mean something to the libraries themselves; neither side may emit them.
RESERVED_EVENTS = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)

# What stands before the payload of an event or acknowledgement. Digits are the decimal ones only, where the reference
# takes whatever JavaScript reads as a number ("1e1"). An id has at most 15 of them, which every client can count
# exactly; a 16th counts as payload, and is no JSON.
_HEADER = re.compile(r"([2356])(?:(?<=[56])([0-9]{1,15})-)?(?:(/[^,]*),?)?([0-9]{0,15})")
_NAMESPACE = re.compile(r"([014])(?:(/[^,]*),?)?")


class Packet:
    """One packet.

    Attributes:
        type: one of the seven constants of this module.
        namespace: begins with "/".
        data: of EVENT and ACK a list, of CONNECT a dict or None, of CONNECT_ERROR a dict or text, of DISCONNECT None.
        id: the acknowledgement asked for (EVENT) or given (ACK).
        attachments: how many binary messages must follow before the packet is complete.
    """

    __slots__ = ("attachments", "data", "id", "namespace", "type")

    def __init__(self, type: int, namespace: str, data: Json, id: int | None, attachments: int) -> None:
        self.type = type
        self.namespace = namespace
        self.data = data
        self.id = id
        self.attachments = attachments


def decode(text: str) -> Packet:
    """The packet that the text stands for, or begins when attachments follow. Hot path.

    Raises:
        PacketError: the protocol does not allow it.
    """
    if text.startswith("2["):
        return Packet(EVENT, "/", _checked_event(loads(text[1:])), None, 0)
    header = _HEADER.match(text)
    if header is None:
        return _decode_without_arguments(text)
    kind, count, namespace, id = header.groups()
    data = loads(text[header.end() :])
    type = int(kind)
    if type in (EVENT, BINARY_EVENT):
        _checked_event(data)
    elif data.__class__ is not list:
        raise PacketError("invalid payload")
    attachments = int(count) if count else 0
    if type >= BINARY_EVENT and attachments == 0:
        raise PacketError("Illegal attachments")
    return Packet(type, namespace or "/", data, int(id) if id else None, attachments)


def _checked_event(data: Json) -> list[Json]:
    if data.__class__ is list and data:
        name = data[0]
        if name.__class__ is str:
            if name not in RESERVED_EVENTS:
                return data
        elif name.__class__ is int or name.__class__ is float:
            return data
    raise PacketError("invalid payload")


def _decode_without_arguments(text: str) -> Packet:
    header = _NAMESPACE.match(text)
    if header is None:
        raise PacketError(f"unknown packet type {text[:1]}")
    kind, namespace = header.groups()
    type = int(kind)
    payload = text[header.end() :]
    data = loads(payload) if payload else None
    if type == CONNECT:
        valid = data.__class__ is dict or not payload
    elif type == DISCONNECT:
        valid = not payload
    else:
        valid = data.__class__ is dict or data.__class__ is str
    if not valid:
        raise PacketError("invalid payload")
    return Packet(type, namespace or "/", data, None, 0)


class Decoder:
    """Makes packets of the messages of one connection.

    Args:
        max_attachments: how many binary messages a packet may announce.
        max_attachments_size: how many bytes they may have together.

    Attributes:
        incomplete: the packet that has begun and whose attachments are still to come; its data is not to be looked at.
    """

    __slots__ = ("_attachments", "_room", "incomplete", "max_attachments", "max_attachments_size")

    def __init__(self, max_attachments: int = 10, max_attachments_size: int = 10_000_000) -> None:
        self.max_attachments = max_attachments
        self.max_attachments_size = max_attachments_size
        self.incomplete: Packet | None = None
        self._attachments: list[bytes | None] = []
        self._room = 0

    def add(self, message: str | bytes) -> Packet | None:
        """The packet that the message completes, if it does. Hot path.

        Raises:
            PacketError: the protocol, or a limit, does not allow the message; the connection should be closed.
        """
        if self.incomplete is None and isinstance(message, str):
            packet = decode(message)
            if packet.attachments:
                self._begin(packet)
                return None
            return packet
        return self._add_attachment(message)

    def _begin(self, packet: Packet) -> None:
        if packet.attachments > self.max_attachments:
            raise PacketError("too many attachments")
        self.incomplete = packet
        self._attachments = []
        self._room = self.max_attachments_size

    def _add_attachment(self, message: str | bytes) -> Packet | None:
        packet = self.incomplete
        if packet is None:
            raise PacketError("got binary data when not reconstructing a packet")
        if isinstance(message, str):
            raise PacketError("got plaintext data when reconstructing a packet")
        self._room -= len(message)
        if self._room < 0:
            raise PacketError("attachments are too big")
        self._attachments.append(message)
        packet.attachments -= 1
        if packet.attachments:
            return None
        self.incomplete = None
        _fill_in(packet.data, self._attachments)
        packet.type = EVENT if packet.type == BINARY_EVENT else ACK
        return packet


def _fill_in(data: list[Json], attachments: list[bytes | None]) -> None:
    """Put the attachments where their placeholders are."""
    containers: list[Json] = [data]
    for container in containers:
        for key, value in enumerate(container) if container.__class__ is list else container.items():
            if value.__class__ is dict and value.get("_placeholder") is True:
                container[key] = _take(attachments, value.get("num"))
            elif value.__class__ is list or value.__class__ is dict:
                containers.append(value)


def _take(attachments: list[bytes | None], number: Json) -> bytes:
    # Each of them once: a thousand placeholders for one attachment would be a thousand copies in an echo.
    attachment = None
    if number.__class__ is int and 0 <= number < len(attachments):
        attachment = attachments[number]
        attachments[number] = None
    if attachment is None:
        raise PacketError("illegal attachments")
    return attachment


def encode(type: int, namespace: str, id: int | None, data: Json) -> tuple[bytes, Sequence[bytes]]:
    """The text and the attachments of a packet; EVENT and ACK become their binary kinds by themselves. Hot path.

    Raises:
        UnserializableData: something in `data` has no form on the wire.
    """
    head = b"" if namespace == "/" else namespace.encode() + b","
    if id is not None:
        head += b"%d" % id
    if type in (EVENT, ACK):
        payload, attachments = dumps_with_attachments(data)
        if attachments:
            return b"%d%d-%b%b" % (type + 3, len(attachments), head, payload), attachments
    else:
        payload = b"" if data is None else dumps(data)
    return b"%d%b%b" % (type, head, payload), ()


class DefaultParser:
    """The encoding that every client speaks unless told otherwise.

    Args:
        max_attachments: how many binary messages a packet may announce.
        max_attachments_size: how many bytes they may have together.
    """

    __slots__ = ("max_attachments", "max_attachments_size")

    encode = staticmethod(encode)

    def __init__(self, max_attachments: int = 10, max_attachments_size: int = 10_000_000) -> None:
        self.max_attachments = max_attachments
        self.max_attachments_size = max_attachments_size

    def decoder(self) -> Decoder:
        """What decodes one connection."""
        return Decoder(self.max_attachments, self.max_attachments_size)
