"""Engine.IO sessions of a raw client: what goes over them is written out in the tests, packet by packet.

    Polling       over long-polling, on two connections as a browser has them
    WebSocket     over WebSocket, frame by frame

Both have `send`, `read` and `join`, so that a test of packets runs over either.
"""

from __future__ import annotations

import base64
import json

from tests.wire import (
    BINARY,
    CLOSE,
    TEXT,
    Address,
    ConnectionEnded,
    Frame,
    Response,
    Wire,
    frame,
    request,
)

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
SEPARATOR = b"\x1e"

#: A request to upgrade; the key and its answer are those of RFC 6455, section 1.3.
UPGRADE_HEADERS = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Polling:
    """An Engine.IO session over long-polling.

    Attributes:
        answers_pings: whether reading answers the server's heartbeats on the way.
    """

    answers_pings = True

    def __init__(self, address: Address, polls: Wire, posts: Wire, opened: Response) -> None:
        self.address = address
        self.polls = polls
        self.posts = posts
        self.target = POLLING + "&sid=" + json.loads(opened.body[1:])["sid"]
        self.socket_id = ""
        self._unread: list[bytes] = []

    @classmethod
    async def open(cls, address: Address) -> Polling:
        polls, posts = await Wire.open(address), await Wire.open(address)
        polls.send(request("GET", POLLING))
        return cls(address, polls, posts, await polls.read_response())

    @property
    def wires(self) -> list[Wire]:
        return [self.polls, self.posts]

    @property
    def websocket_target(self) -> str:
        """Where the session upgrades."""
        return self.target.replace("transport=polling", "transport=websocket")

    async def start_poll(self, headers: dict[str, str] | None = None) -> None:
        if self.polls.is_lost:
            self.polls = await Wire.open(self.address)
        self.polls.send(request("GET", self.target, headers=headers))

    async def poll(self, headers: dict[str, str] | None = None) -> Response:
        await self.start_poll(headers)
        return await self.polls.read_response()

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> Response:
        if self.posts.is_lost:
            self.posts = await Wire.open(self.address)
        self.posts.send(request("POST", self.target, body, headers))
        return await self.posts.read_response("POST")

    async def send(self, *messages: str | bytes) -> None:
        response = await self.post(SEPARATOR.join(map(encode_packet, messages)))
        assert (response.status, response.body) == (200, b"ok")

    async def read(self) -> str | bytes:
        """The next packet that is not a heartbeat; raises `ConnectionEnded` when the session is gone."""
        while not self._unread:
            response = await self.poll()
            if response.status != 200:
                raise ConnectionEnded(response.body)
            packets = response.body.split(SEPARATOR)
            self._unread = [packet for packet in packets if packet not in (b"2", b"6")]
            if b"2" in packets and self.answers_pings:
                await self.post(b"3")
        packet = self._unread.pop(0)
        if packet == b"1":
            raise ConnectionEnded
        return base64.b64decode(packet[1:]) if packet[:1] == b"b" else packet.decode()

    async def join(self, namespace: str = "", auth: str = "") -> str:
        return await _join(self, namespace, auth)

    async def leave(self) -> None:
        """End the session, if it is still there."""
        self.polls.close()
        self.posts.close()
        farewell = await Wire.open(self.address)
        farewell.send(request("POST", self.target, b"1"))
        await farewell.read_response("POST")
        farewell.close()


def encode_packet(message: str | bytes) -> bytes:
    """A packet as long-polling carries it."""
    return message.encode() if isinstance(message, str) else b"b" + base64.b64encode(message)


class WebSocket:
    """An Engine.IO session over WebSocket.

    Attributes:
        answers_pings: whether reading answers the server's heartbeats on the way.
    """

    answers_pings = True

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.sid = ""
        self.socket_id = ""

    @classmethod
    async def open(cls, address: Address, target: str = WEBSOCKET, headers: dict[str, str] | None = None) -> WebSocket:
        """Upgrade, and read the open packet unless `target` names a session that exists already."""
        wire = await Wire.open(address)
        wire.send(request("GET", target, headers=UPGRADE_HEADERS | (headers or {})))
        response = await wire.read_response()
        assert (response.status, response.header("sec-websocket-accept")) == (101, ACCEPT), response
        websocket = cls(wire)
        if "sid=" not in target:
            await websocket.read_open()
        return websocket

    @property
    def wires(self) -> list[Wire]:
        return [self.wire]

    async def read_open(self) -> None:
        opened = await self.read()
        assert isinstance(opened, str) and opened[0] == "0", opened
        self.sid = json.loads(opened[1:])["sid"]

    async def send(self, *messages: str | bytes) -> None:
        self.wire.send(b"".join(map(message_frame, messages)))

    async def read_frame(self) -> Frame:
        first, second = await self.wire.read(2)
        assert second < 128, "a server must not mask"
        length = second
        if second >= 126:
            length = int.from_bytes(await self.wire.read(2 if second == 126 else 8), "big")
        return Frame(first & 15, await self.wire.read(length), bool(first & 128), first >> 4 & 7)

    async def read(self) -> str | bytes:
        """The next message that is not a heartbeat; raises `ConnectionEnded` when the server closes."""
        while True:
            received = await self.read_frame()
            assert received.fin and not received.rsv, received
            if received.opcode == CLOSE:
                raise ConnectionEnded(received.payload[2:], int.from_bytes(received.payload[:2], "big") or 1005)
            if received.opcode == BINARY:
                return received.payload
            assert received.opcode == TEXT, received
            if received.payload != b"2":
                return received.payload.decode()
            if self.answers_pings:
                await self.send("3")

    async def join(self, namespace: str = "", auth: str = "") -> str:
        return await _join(self, namespace, auth)

    async def leave(self) -> None:
        self.wire.close()


def message_frame(message: str | bytes) -> bytes:
    """A whole message in one frame."""
    return frame(TEXT, message.encode()) if isinstance(message, str) else frame(BINARY, message)


async def _join(session: Polling | WebSocket, namespace: str, auth: str) -> str:
    """Connect to a namespace (its name with the comma, "" for the main one); the id of the new socket."""
    await session.send("40" + namespace + auth)
    reply = await session.read()
    assert isinstance(reply, str) and reply.startswith("40" + namespace), reply
    session.socket_id = json.loads(reply.removeprefix("40" + namespace))["sid"]
    return session.socket_id
