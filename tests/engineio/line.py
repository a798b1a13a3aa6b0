"""Clients over WebSocket, without a network.

Line            a TCP connection: what is written is kept, and may be kept back
accept          a Line to a site
connect         open a WebSocket over a Line
Connected       an engine with such a client, whose messages are echoed
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.engineio.doubles import COARSE, WEBSOCKET, FakeExchange, Log, new_engine, new_request
from tests.sessions import UPGRADE_HEADERS
from tests.wire import BINARY, CLOSE, TEXT, frame
from txsocketio.engineio.engine import Engine
from txsocketio.engineio.request import HTTPRequest
from txsocketio.engineio.session import Session
from txsocketio.engineio.websocket import WebSocket
from txsocketio.types import Json

#: The largest message of such a client: small enough to come near it.
LIMIT = 1000


class Line(StringTransport):
    """A TCP connection, seen from the other end.

    Attributes:
        protocol: who has the connection.
        aborted: whether it was ended by a reset.
    """

    #: As much as a transport of Twisted keeps before it asks its producer to pause.
    HIGH_WATER = 65536

    protocol: Json

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self._kept: list[bytes] | None = None
        self._paused = False

    def feed(self, data: bytes) -> None:
        """The other end has sent this."""
        self.protocol.dataReceived(data)

    def take(self) -> bytes:
        """What has come to the other end since the last time."""
        taken = self.value()
        self.clear()
        return taken

    def block(self) -> None:
        """The other end reads no more."""
        self._kept = []

    def unblock(self) -> None:
        """It reads again."""
        kept, self._kept = self._kept or [], None
        super().write(b"".join(kept))
        if self._paused and self.producer is not None:
            self._paused = False
            self.producer.resumeProducing()

    def read_once(self) -> None:
        """It reads what is there, and no more."""
        kept, self._kept = self._kept or [], []
        self.io.write(b"".join(kept))
        if self._paused and self.producer is not None:
            self._paused = False
            self.producer.resumeProducing()

    @property
    def kept(self) -> int:
        """Bytes that wait for the other end."""
        return sum(map(len, self._kept or ()))

    def lose(self) -> None:
        """The connection has gone."""
        self.connected = False
        self.protocol.connectionLost(Failure(ConnectionDone()))

    # What Twisted's TCP transport has besides.

    def write(self, data: bytes) -> None:
        if self._kept is None:
            return super().write(data)
        self._kept.append(data)
        if self.kept > self.HIGH_WATER and self.producer is not None and not self._paused:
            self._paused = True
            self.producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True


def accept(factory: IProtocolFactory) -> Line:
    """A connection that a server has just accepted."""
    line = Line()
    line.protocol = factory.buildProtocol(None)
    line.protocol.makeConnection(line)
    return line


def connect(engine: Engine, query: str = WEBSOCKET, rest: bytes = b"", **fields: str) -> Line:
    """Open a WebSocket; the 101 has been taken from the line."""
    line = Line()
    engine.handle(FakeExchange(upgrade_request(query, **fields), line=line, rest=rest))
    head, end, _ = line.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ") and end, line.value()
    frames = line.take()[len(head) + 4 :]
    line.write(frames)
    return line


def upgrade_request(query: str = WEBSOCKET, **fields: str) -> HTTPRequest:
    headers = {name.lower().replace("-", "_"): value for name, value in UPGRADE_HEADERS.items()}
    return new_request("GET", query, **headers | fields)


def read_frames(data: bytes) -> list[str | bytes]:
    """What a server has sent: texts, binary messages, and other frames as "close 1002"."""
    messages: list[str | bytes] = []
    while data:
        head, length, begin = data[0], data[1], 2
        if length >= 126:
            begin = 4 if length == 126 else 10
            length = int.from_bytes(data[2:begin], "big")
        payload, data = data[begin : begin + length], data[begin + length :]
        assert len(payload) == length, "half a frame"
        messages.append(_shown(head & 15, payload))
    return messages


def _shown(opcode: int, payload: bytes) -> str | bytes:
    if opcode == TEXT:
        return payload.decode()
    if opcode == BINARY:
        return payload
    if opcode == CLOSE:
        return f"close {int.from_bytes(payload[:2], 'big') or 1005}"
    return f"frame {opcode} {payload!r}"


class Connected:
    """An engine with a client over WebSocket, whose messages are echoed and noted in `log`."""

    def __init__(self, **options: Json) -> None:
        self.engine: Engine = new_engine(**{"max_http_buffer_size": LIMIT} | options)
        self.log = Log()
        self.sessions: list[Session] = []
        self.engine.on_session = self._welcome
        self.line: Line

    def _welcome(self, session: Session) -> None:
        self.sessions.append(session)
        self.log.listen(session)
        note = session.on_message

        def echo(data: str | bytes) -> None:
            note(data)
            session.send(data)

        session.on_message = echo

    def open(self, **fields: str) -> Connected:
        self.line = connect(self.engine, **fields)
        self.line.take()
        return self

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    @property
    def websocket(self) -> WebSocket:
        protocol: WebSocket = self.line.protocol
        return protocol

    def ask(self, *pieces: bytes) -> list[str | bytes]:
        """What the client gets for what it sends."""
        for piece in pieces:
            self.line.feed(piece)
        return read_frames(self.line.take())

    def feed(self, cut: int, stream: bytes) -> None:
        """Let a stream arrive in reads of `cut` bytes."""
        for begin in range(0, len(stream), cut):
            self.line.feed(stream[begin : begin + cut])

    def pass_time(self, seconds: float) -> None:
        self.engine.clock.pump([COARSE / 4] * round(seconds / COARSE * 4))


def text(message: str) -> bytes:
    """The frame of a message."""
    return frame(TEXT, b"4" + message.encode())
