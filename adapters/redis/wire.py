"""Messages as the servers of the npm package @socket.io/redis-adapter send them.

    broadcast    MessagePack   [uid, {type, data, nsp}, {rooms, except, flags}]
    request      JSON          {uid, requestId, type, ...}      MessagePack where there is binary in it
    response     JSON          {requestId, ...}                 the same

Whoever reads tells JSON by its first byte. MessagePack is that of notepack.io 3: dates are timestamps; of its older
versions, which have an extension of their own for what JavaScript has, all is understood.
Source: @socket.io/redis-adapter 8.3, "lib/index.ts"; notepack.io 3.0.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import orjson
from msgpack import OutOfData, Packer, Unpacker, unpackb

from txsocketio.cluster.messages import (
    BROADCAST,
    BROADCAST_ACK,
    BROADCAST_CLIENT_COUNT,
    BROADCAST_GONE,
    DISCONNECT_SOCKETS,
    FETCH_SOCKETS,
    FETCH_SOCKETS_RESPONSE,
    SERVER_SIDE_EMIT,
    SERVER_SIDE_EMIT_RESPONSE,
    SOCKETS_JOIN,
    SOCKETS_LEAVE,
    Message,
)
from txsocketio.errors import BadMessage, UnserializableData
from txsocketio.protocol.json_codec import dumps
from txsocketio.types import Json


class Request(IntEnum):
    """The types of requests and responses."""

    SOCKETS = 0
    ALL_ROOMS = 1
    REMOTE_JOIN = 2
    REMOTE_LEAVE = 3
    REMOTE_DISCONNECT = 4
    REMOTE_FETCH = 5
    SERVER_SIDE_EMIT = 6
    BROADCAST = 7
    BROADCAST_CLIENT_COUNT = 8
    BROADCAST_ACK = 9


#: What our messages are called there. Ours that nobody else knows keep their number.
_TYPES: dict[int, int] = {
    SOCKETS_JOIN: Request.REMOTE_JOIN,
    SOCKETS_LEAVE: Request.REMOTE_LEAVE,
    DISCONNECT_SOCKETS: Request.REMOTE_DISCONNECT,
    FETCH_SOCKETS: Request.REMOTE_FETCH,
    SERVER_SIDE_EMIT: Request.SERVER_SIDE_EMIT,
    BROADCAST: Request.BROADCAST,
    SERVER_SIDE_EMIT_RESPONSE: Request.SERVER_SIDE_EMIT,
    BROADCAST_CLIENT_COUNT: Request.BROADCAST_CLIENT_COUNT,
    BROADCAST_ACK: Request.BROADCAST_ACK,
    BROADCAST_GONE: BROADCAST_GONE,
}
_REQUESTS = {_TYPES[type]: type for type in (*_TYPES,)[:6]}
_RESPONSES = {_TYPES[type]: type for type in (*_TYPES,)[6:]}

#: What of the fields of a request, and of a response, is data of our messages.
_QUESTION, _ANSWER = ("requestId", "rooms", "close", "packet"), ("requestId", "sockets", "clientCount", "packet")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


# --- broadcasts ---


def encode_broadcast(message: Message, namespace: str) -> bytes:
    """An event for clients, which nobody has to acknowledge."""
    packet = {**message.data["packet"], "nsp": namespace}
    return pack((message.node, packet, message.opts))


def begins_broadcast(node: str) -> bytes:
    """What every broadcast of a node begins with."""
    return b"\x93" + pack(node)


def decode_broadcast(content: bytes, namespace: str) -> Message | None:
    """The event; None when it is for another namespace.

    Raises:
        BadMessage: it cannot be understood.
    """
    fields = unpack(content)
    if not isinstance(fields, list) or len(fields) < 3 or not isinstance(fields[1], dict):
        raise BadMessage("a broadcast that cannot be understood")
    node, packet, opts, *_ = fields
    if packet.get("nsp", "/") != namespace:
        return None
    return Message(BROADCAST, {"packet": packet}, opts, str(node))


def rooms_of_broadcast(content: bytes) -> tuple[list[Json], list[Json]]:
    """The rooms that a broadcast is for, and those that it is not for, without a look at the event.

    Raises:
        BadMessage: it cannot be understood.
    """
    unpacker = Unpacker(max_buffer_size=len(content))
    unpacker.feed(content)
    try:
        unpacker.read_array_header()
        unpacker.skip()
        unpacker.skip()
        opts = unpacker.unpack()
        rooms, excluded = opts["rooms"], opts["except"]
    except (KeyError, TypeError, ValueError, OutOfData) as error:
        raise BadMessage(f"a broadcast that cannot be understood: {error!r}") from None
    if not isinstance(rooms, list) or not isinstance(excluded, list):
        raise BadMessage("rooms that are no list")
    return rooms, excluded


# --- requests ---


def encode_request(message: Message, namespace: str) -> bytes:
    """What is asked of all other nodes; emitters have no node to name."""
    data = message.data
    fields: dict[str, Json] = {"uid": message.node} if message.node else {}
    if "requestId" in data:
        fields["requestId"] = data["requestId"]
    fields["type"] = _TYPES[message.type]
    if message.type == SERVER_SIDE_EMIT:
        fields["data"] = data["packet"]
    elif message.type == BROADCAST:
        fields |= {"packet": {**data["packet"], "nsp": namespace}, "opts": message.opts}
        return pack(fields)
    elif message.opts is not None:
        fields["opts"] = {name: message.opts[name] for name in ("rooms", "except")}
        fields |= {name: data[name] for name in ("rooms", "close") if name in data}
    return encode(fields)


def decode_request(fields: dict[str, Json]) -> Message | None:
    """What another node asks; None when that is not known here."""
    type = _REQUESTS.get(fields.get("type", -1))
    if type is None:
        return None
    data: dict[str, Json] = {name: fields[name] for name in _QUESTION if name in fields}
    if type == SERVER_SIDE_EMIT:
        data["packet"] = fields.get("data")
    return Message(type, data, fields.get("opts"), str(fields.get("uid", "")))


# --- responses ---


def encode_response(message: Message) -> bytes:
    """What one node is answered. Who answers is added to what servers of Node.js tell."""
    data = message.data
    if message.type == FETCH_SOCKETS_RESPONSE:
        fields = {"requestId": data["requestId"], "sockets": data["sockets"]}
    elif message.type == SERVER_SIDE_EMIT_RESPONSE:
        fields = {"type": _TYPES[message.type], "requestId": data["requestId"], "data": data["packet"]}
    else:
        fields = {"type": _TYPES[message.type], **data}
    fields["uid"] = message.node
    return pack(fields) if message.type == BROADCAST_ACK else encode(fields)


def decode_response(fields: dict[str, Json]) -> Message | None:
    """What another node answers; None when that is not known here."""
    type = FETCH_SOCKETS_RESPONSE if "sockets" in fields else _RESPONSES.get(fields.get("type", -1))
    if type is None:
        return None
    data: dict[str, Json] = {name: fields[name] for name in _ANSWER if name in fields}
    if type == SERVER_SIDE_EMIT_RESPONSE:
        data["packet"] = fields.get("data")
    return Message(type, data, node=str(fields.get("uid", "")))


# --- JSON and MessagePack ---


def encode(fields: dict[str, Json]) -> bytes:
    """JSON; MessagePack where something has no form in JSON.

    Raises:
        UnserializableData: it has none in MessagePack, too.
    """
    try:
        return dumps(fields)
    except UnserializableData:
        return pack(fields)


def decode(content: bytes) -> dict[str, Json]:
    """The fields of what `encode` gives.

    Raises:
        BadMessage: it cannot be understood.
    """
    if not content.startswith(b"{"):
        fields = unpack(content)
    else:
        try:
            fields = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise BadMessage(f"no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadMessage("a message that is no map")
    return fields


def _json_form(value: object) -> Json:
    """What only JSON has a form for gets that one."""
    return orjson.loads(dumps(value))


# Kept: making one takes as long as packing a small message.
_pack: Callable[[Json], bytes] = Packer(datetime=True, default=_json_form).pack


def pack(value: Json) -> bytes:
    """The value as MessagePack.

    Raises:
        UnserializableData: it has no form there.
    """
    try:
        return _pack(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnserializableData(str(error)) from None


def unpack(content: bytes) -> Json:
    """The value of MessagePack.

    Raises:
        BadMessage: it is none.
    """
    try:
        return unpackb(content, ext_hook=_of_javascript, timestamp=3, strict_map_key=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadMessage(f"no MessagePack: {error}") from None


def _of_javascript(code: int, content: bytes) -> Json:
    """The types of notepack.io 2: undefined, Date, and ArrayBuffer, told by the length."""
    if code != 0:
        raise ValueError(f"unknown extension type {code}")
    if len(content) == 8:
        return _EPOCH + int.from_bytes(content, "big", signed=True) * _MILLISECOND
    return None if len(content) == 1 else content
