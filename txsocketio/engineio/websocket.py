"""WebSocket: Autobahn's protocol, with a way around it for what nearly every frame is.

        bytes from TCP
          |-- whole, masked, unfragmented, uncompressed data frames --> protocol/frame.py --> the session
          '-- anything else: control, partial, compressed, invalid --> Autobahn ----------> the session

Both ways give the same messages; a test feeds them the same bytes. Answers to what came in one read leave in one write.
The opening handshake is ours (`handshake.py`), so Autobahn starts in its open state.

Source: RFC 6455; Engine.IO protocol v4, "WebSocket".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.engineio.autobahn import CLOSED, OPEN, OpenProtocol
from txsocketio.engineio.direct import DirectWriter
from txsocketio.engineio.session import RATE_LIMIT, SLOW_CONSUMER
from txsocketio.errors import PacketError
from txsocketio.protocol.engineio import MESSAGE, decode_text_frame
from txsocketio.protocol.frame import COMPRESSED, encode_frame, plain_close, whole_messages

if TYPE_CHECKING:
    from txsocketio.engineio.deadlines import Deadline
    from txsocketio.engineio.outgoing import Outgoing
    from txsocketio.engineio.session import Session
    from txsocketio.engineio.upgrade import Upgrade

log = Logger()

#: RFC 6455, 7.4.1: the codes of a close frame that we send.
INVALID_TEXT, POLICY, TOO_BIG = 1007, 1008, 1009

CLOSE_FRAME = 0x88

#: As many fragments as the reference server takes in one message; Autobahn has no bound of its own.
MAX_FRAGMENTS = 16384

#: Bytes of answers that may be held back while one read is handled.
MAX_HELD = 65536

#: Seconds that the client has to end the connection behind a close frame.
CLOSE_TIMEOUT = 2.0


class WebSocket(OpenProtocol):
    """A WebSocket connection of a session, or of one that is upgrading.

    Attributes:
        session: whom the messages are for.
    """

    name = "websocket"
    session: Session | Upgrade
    message_data: list[bytes] | None
    deflate_threshold = 0

    #: Whether the next bytes are Autobahn's: it is in the middle of something, or no longer open.
    _partial = False
    _held: list[bytes] | None = None
    _held_size = 0
    _congested = False
    _fragments = 0
    _end: Deadline | None = None

    def start(self, transport: Any, session: Session | Upgrade, head: bytes) -> None:
        """Begin in the open state, and hold back what is sent until `flush`.

        Args:
            transport: what the opening handshake came over.
            session: whom the messages are for.
            head: the answer to the handshake.
        """
        self.transport = transport
        self.session = session
        self._held = [head]
        transport.registerProducer(self, True)

    # --- what a session asks of its transport ---

    @property
    def is_ready(self) -> bool:
        return not self._congested

    is_writable = is_ready

    def send_outgoing(self, outgoing: Outgoing) -> None:
        """Send a message. Hot path."""
        frames = outgoing.frames() if self._perMessageCompress is None else self._deflated(outgoing)
        held = self._held
        if held is None:
            self.write(frames)
            return
        held.append(frames)
        self._held_size += len(frames)
        if self._held_size > MAX_HELD:
            self.flush()
            self._held = []

    def send_all(self, outbox: list[Outgoing]) -> int:
        """Send what waits, as far as the transport can take it; how many messages that were."""
        holds = self._held is None
        if holds:
            self._held = []
        count = 0
        for outgoing in outbox:
            self.send_outgoing(outgoing)
            count += 1
            if self._congested:
                break
        if holds:
            self.flush()
        return count

    def finish(self) -> None:
        """All that was sent has left."""
        self.session.closed()

    def closed_by_client(self) -> None:
        """Nothing: the close packet is for long-polling, a WebSocket has a close frame."""

    def discard(self, reason: str = "") -> None:
        """The session goes on without this connection, or is over.

        Args:
            reason: why the session is over.
        """
        if self.transport is None:
            return
        self.flush()
        if reason == SLOW_CONSUMER:
            # It does not read: waiting for it would keep what it did not read.
            self.state = CLOSED
            self.transport.unregisterProducer()
            self.transport.abortConnection()
            return
        if reason == RATE_LIMIT:
            self.sendCloseFrame(POLICY, reason.encode())
        else:
            # The reference server closes without a code; clients see 1005.
            self.sendCloseFrame()
        self._partial = True
        self._expect_end()

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self.transport.write(data)

    def flush(self) -> None:
        """Write what was held back."""
        held, self._held, self._held_size = self._held, None, 0
        if held and self.transport is not None:
            self.write(held[0] if len(held) == 1 else b"".join(held))

    def _deflated(self, outgoing: Outgoing) -> bytes:
        deflate = self._perMessageCompress
        if not outgoing.compress or deflate is None:
            return outgoing.frames()
        frames = []
        for head, payload in outgoing.messages():
            if len(payload) >= self.deflate_threshold:
                deflate.start_compress_message()
                payload = deflate.compress_message_data(payload) + deflate.end_compress_message()
                head |= COMPRESSED
            frames.append(encode_frame(head, payload))
        return b"".join(frames)

    def _expect_end(self) -> None:
        """The connection must be gone soon, whether the client answers the close frame or not."""
        if self._end is None:
            self._end = self.session.engine.deadlines.start(CLOSE_TIMEOUT, self._end_is_overdue)

    def _end_is_overdue(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()

    # --- receiving ---

    def dataReceived(self, data: bytes) -> None:
        """Called by Twisted. Hot path."""
        if self._partial:
            return self._pass_on(data)
        messages, taken = whole_messages(data, self.max_size)
        if messages:
            self._held = []
            for message in messages:
                self._deliver(message)
            self.flush()
        if taken < len(data):
            rest = data[taken:] if taken else data
            close = plain_close(rest)
            if close is None or self.state != OPEN:
                self._pass_on(rest)
            else:
                self._closed_by_peer(close)

    def _closed_by_peer(self, code: bytes) -> None:
        """Answer a close frame as it came, and end: what Autobahn does, for 50 us of CPU less (benchmarks, connect)."""
        self.write(bytes((CLOSE_FRAME, len(code))) + code)
        self._partial = True
        self.dropConnection()
        self.session.ended("transport close")

    def _deliver(self, message: str | bytes) -> None:
        """Hand a message to the session. Hot path."""
        session = self.session
        if session.pong_due:
            session.heard()
        try:
            if message.__class__ is str and message[:1] == MESSAGE:
                session.deliver(message[1:])
            else:
                session.receive(self.decode_frame(message))
        except PacketError as error:
            session.receive_bad(error)
        except Exception:  # noqa: BLE001 - a border, the application's code
            log.failure("A message could not be handled")

    @staticmethod
    def decode_frame(message: str | bytes) -> str | bytes:
        """The packet in a message.

        Raises:
            PacketError: there is none.
        """
        return decode_text_frame(message) if isinstance(message, str) else message

    def _pass_on(self, data: bytes) -> None:
        """Give bytes to Autobahn."""
        self._dataReceived(data)
        if self.failedByMe or self.state == CLOSED:
            # RFC 6455, 7.1.7: nothing has to be processed any more. Autobahn would keep it.
            self.data = b""
        self._partial = self.data != b"" or self.current_frame is not None or self.inside_message or self.state != OPEN

    # --- called by Autobahn ---

    def onMessageBegin(self, isBinary: bool) -> None:
        self._fragments = 0
        super().onMessageBegin(isBinary)

    def onMessageFrameBegin(self, length: int) -> None:
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS and not self.failedByMe:
            self._fail_connection(POLICY, "too many message fragments")
        super().onMessageFrameBegin(length)

    def onMessageEnd(self) -> None:
        pieces, self.message_data = self.message_data, None
        if self.failedByMe or pieces is None:
            return
        deflate = self._perMessageCompress
        if deflate is not None and deflate._decompressor is not None and deflate._decompressor.eof:
            # RFC 7692, 7.2.3.4: a message may end its stream. Autobahn's would collect the next ones, uninflated.
            deflate._decompressor = None
        payload = b"".join(pieces)
        if len(payload) > self.max_size:
            self._fail_connection(TOO_BIG, "message too big")
        elif self.message_is_binary:
            self._deliver(payload)
        else:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                return self._fail_connection(INVALID_TEXT, "invalid UTF-8 sequence")
            self._deliver(text)

    def onPing(self, payload: bytes) -> None:
        self.session.count(len(payload))
        # RFC 6455, 5.5.3: only the most recent ping needs its pong; nothing bounds what would wait for a client that
        # pings and does not read.
        if not self._congested:
            super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        self.session.count(len(payload))

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> None:
        super().onCloseFrame(code, reasonRaw)
        self.session.ended("transport close")

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        if self.transport is not None:
            self.write(data)

    def dropConnection(self, abort: bool = False) -> None:
        """End the connection when the close frame has left; Autobahn would abort it, and the frame with it."""
        self.state = CLOSED
        if self.transport is not None:
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self._expect_end()

    def _fail_connection(self, code: int = 1001, reason: str = "going away") -> None:
        super()._fail_connection(code, reason)
        self._partial = True
        self.session.ended("transport error", reason)

    # --- called by Twisted ---

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.state = CLOSED
        self.transport = None
        if self._end is not None:
            self._end.cancel()
        self.session.engine.websocket_gone(self)
        self.session.ended("transport close")

    def pauseProducing(self) -> None:
        self._congested = True
        self.session.congested()

    def resumeProducing(self) -> None:
        self._congested = False
        self.session.ready()

    def stopProducing(self) -> None:
        """Nothing: `connectionLost` follows."""


class TCPWebSocket(DirectWriter, WebSocket):
    """The same over plain TCP."""

    def dropConnection(self, abort: bool = False) -> None:
        """End the connection at once when nothing waits to be written.

        Twisted would wait for the next turn, with three more system calls: connecting and disconnecting costs 311 us
        that way and 254 this way (CPython 3.11; benchmarks, connect).
        """
        transport = self.transport
        if transport is None or transport.dataBuffer or transport._tempDataBuffer:
            super().dropConnection(abort)
        else:
            self.state = CLOSED
            transport.connectionLost(connectionDone)
