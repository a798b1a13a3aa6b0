"""A connection to a site of ours, which takes what is for the engine before twisted.web sees it.

        bytes from TCP --> LightChannel
          |-- a whole, simple request for our path --> LightExchange --> engine.handle
          |-- the head of a simple POST for our path --> its body -----> the same
          '-- everything else --> twisted.web --> EngineResource ------> the same

Simple is: HTTP/1.1, GET or POST, each field once, no Transfer-Encoding, no Expect, no Connection but keep-alive and
upgrade, nothing pipelined behind it. Through twisted.web a connection costs 194 us of CPU and a poll 123, this way 150
and 42 (Python 3.11; benchmarks, connect and polling). Both ways give the same bytes: the tests take both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp
from twisted.internet.interfaces import IProtocol, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from txsocketio.engineio.direct import DirectWriter
from txsocketio.engineio.exchange import REASONS, Exchange, Fields
from txsocketio.engineio.request import HTTPRequest, parse_fields
from txsocketio.engineio.resource import detach, fields_of

if TYPE_CHECKING:
    from twisted.web.server import Request

    from txsocketio.engineio.site import EngineSite

#: Bytes that may come behind a request that is not answered yet; beyond them the connection is dropped.
MAX_AHEAD = 65536

#: Seconds that a client has to notice that its body is not wanted.
LINGER = 2.0

#: Bytes that no simple head contains; twisted.web decides about them.
CONTROL = bytes((*range(9), 11, 12, *range(14, 32), 127))

SIMPLE_CONNECTION = (b"", b"keep-alive", b"upgrade", b"keep-alive, upgrade")


class LightExchange(Exchange):
    """A request that the light channel has taken."""

    __slots__ = ("_channel",)

    def __init__(self, channel: LightChannel, request: HTTPRequest, body: bytes) -> None:
        super().__init__(request, body)
        self._channel = channel

    def respond(self, status: int, fields: Fields, body: bytes = b"", close: bool = False) -> None:
        if self.answered:
            return
        self.answered = True
        channel = self._channel
        close = close or channel.is_receiving
        head = [b"HTTP/1.1 %d %b\r\nDate: %b\r\n" % (status, REASONS[status], channel.site.date)]
        head += [b"%b: %b\r\n" % field for field in fields]
        if status not in (204, 304):  # RFC 9110, 8.6
            head.append(b"Content-Length: %d\r\n" % len(body))
        head.append(b"Connection: close\r\n\r\n" if close else b"\r\n")
        head.append(body)
        channel.write(b"".join(head))
        self.unread = channel.is_full
        if self.unread:
            channel.wait_for_reader(close)
        else:
            channel.answered(close)

    def drop(self) -> None:
        self.answered = True
        self._channel.loseConnection()

    def abort(self) -> None:
        self._channel.transport.abortConnection()

    @property
    def transport(self) -> Any:
        return self._channel.transport

    def hand_over(self, protocol: IProtocol) -> bytes:
        self.answered = True
        return self._channel.hand_over(protocol)


class LightChannel(DirectWriter, HTTPChannel):
    """One HTTP connection. Its time is limited absolutely for a head and a body, and anew for idling."""

    _exchange: LightExchange | None = None
    _pieces: list[bytes] | None = None
    _missing = 0
    _ahead = b""
    _draining = False
    _close_when_read = False
    _peer: tuple[str, bool] | Callable[[], tuple[str, bool]]

    def __init__(self, site: EngineSite) -> None:
        super().__init__()
        self.site = site

    # --- called by Twisted ---

    def connectionMade(self) -> None:
        super().connectionMade()
        transport = self.transport
        if transport.__class__ is tcp.Server:
            self._peer = transport.getPeer().host, False
        else:
            self.write = transport.write  # type: ignore[method-assign]
            # To be asked later: behind a proxy the connection begins with a line that tells it.
            self._peer = partial(peer_of, transport)

    def dataReceived(self, data: bytes) -> None:
        if self._exchange is not None or self._ahead or self._draining:
            return self._receive_more(data)
        if not self.requests and not self._buffer:
            if data.startswith(self.site.prefixes) and self._take(data):
                return
            self.setTimeout(self.site.engine.options.head_timeout)
        # Not HTTPChannel's method, which would grant more time with every byte.
        LineReceiver.dataReceived(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._ahead = b""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lost()

    # --- called by twisted.web ---

    def allHeadersReceived(self) -> None:
        self.setTimeout(self.site.engine.options.body_timeout)
        super().allHeadersReceived()

    def requestDone(self, request: Request) -> None:
        self._savedTimeOut = self.site.timeOut
        super().requestDone(request)

    # --- the light way ---

    def _take(self, data: bytes) -> bool:
        """Take a simple request; False when it is for twisted.web."""
        end = data.find(b"\r\n\r\n")
        if end < 0 or end > self.totalHeadersSize:
            return False
        head = data[:end]
        lines = head.split(b"\r\n")
        breaks = len(lines) - 1
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks or len(head.translate(None, CONTROL)) != end:
            return False
        words = lines[0].split(b" ")
        fields = parse_fields(lines[1:])
        if len(words) != 3 or words[2] != b"HTTP/1.1" or fields is None or not _is_simple(fields):
            return False
        body = data[end + 4 :]
        length = int(fields.get(b"content-length", b"0"))
        missing = length - len(body)
        is_get = words[0] == b"GET"
        if missing > 0 if is_get else missing < 0:
            return False
        if missing < 0:
            # Only a WebSocket may have sent more already: its first frames.
            if b"upgrade" not in fields or length:
                return False
            self._ahead, body = body, b""
        url = words[1].decode("latin-1")
        request = HTTPRequest(words[0].decode("ascii"), url, fields, self._peer, head[len(lines[0]) + 2 :])
        self._exchange = LightExchange(self, request, body)
        if missing > 0:
            self._collect(body, missing)
        else:
            self._handle()
        return True

    def _collect(self, body: bytes, missing: int) -> None:
        assert self._exchange is not None
        self._pieces = [body]
        self._missing = missing
        self.setTimeout(self.site.engine.options.body_timeout)
        if len(body) + missing > self.site.engine.options.max_http_buffer_size:
            self.site.engine.answers.send(self._exchange, 413)
        else:
            self.site.engine.announce(self._exchange)

    def _receive_more(self, data: bytes) -> None:
        if self._draining:
            return
        if self._pieces is None:
            self._ahead += data
            if len(self._ahead) > MAX_AHEAD:
                self.transport.abortConnection()
            return
        self._pieces.append(data)
        self._missing -= len(data)
        if self._missing <= 0 and self._exchange is not None:
            body = b"".join(self._pieces)
            end = len(body) + self._missing
            self._pieces, self._missing, self._ahead = None, 0, body[end:]
            self._exchange.body = body[:end]
            self._handle()

    def _handle(self) -> None:
        exchange = self._exchange
        assert exchange is not None
        path = exchange.request.url.partition("?")[0]
        self.site.engine.handle(exchange, path[len(self.site.path) :])
        if not exchange.answered:
            self.setTimeout(None)

    @property
    def is_full(self) -> bool:
        """Whether the transport can take no more."""
        return self._waitingForTransport

    def wait_for_reader(self, close: bool) -> None:
        """The exchange has its answer, but is not over before it has left: until then nothing else is answered."""
        self._close_when_read = close
        self.setTimeout(self.site.timeOut)

    def resumeProducing(self) -> None:
        """Called by Twisted when everything that was written has left."""
        super().resumeProducing()
        exchange = self._exchange
        if exchange is not None and exchange.unread:
            exchange.unread = False
            self.answered(self._close_when_read)

    @property
    def is_receiving(self) -> bool:
        """Whether the body of the exchange is still on its way."""
        return self._missing > 0

    def answered(self, close: bool) -> None:
        """The exchange has its answer."""
        self._exchange = None
        if self.is_receiving:
            self._drain()
        elif close:
            self._draining = True
            self.loseConnection()
        else:
            self.setTimeout(self.site.timeOut)
            if self._ahead:
                self.callLater(0, self._go_on)

    def _go_on(self) -> None:
        data, self._ahead = self._ahead, b""
        if data and self.transport is not None and self._exchange is None:
            self.dataReceived(data)

    def refuse_body(self, web: Request) -> None:
        """Answer 413 to a request of twisted.web whose body is still coming, and read no more of it."""
        command, target = self._command.decode("latin-1"), self._path.decode("latin-1")
        request = HTTPRequest(command, target, fields_of(web), self._peer)
        self._exchange = exchange = LightExchange(self, request, b"")
        self._missing = 1  # at least
        if self.site.is_ours(self._path):
            self.site.engine.answers.send(exchange, 413)
        else:
            exchange.respond(413, ())

    def _drain(self) -> None:
        """What still comes of a body is not wanted, and must not be taken for another request."""
        self._draining = True
        self.setTimeout(LINGER)

    def hand_over(self, protocol: IProtocol) -> bytes:
        """Give the connection to a WebSocket; what it has sent already is returned."""
        self._exchange = None
        rest, self._ahead = self._ahead, b""
        detach(self, protocol)
        return rest


def peer_of(transport: Any) -> tuple[str, bool]:
    """The client's host, "" when it has none, and whether it came over TLS."""
    return getattr(transport.getPeer(), "host", "") or "", ISSLTransport(transport, None) is not None


def _is_simple(fields: dict[bytes, bytes]) -> bool:
    length = fields.get(b"content-length", b"0")
    return (
        b"host" in fields
        and b"transfer-encoding" not in fields
        and b"expect" not in fields
        and length.isdigit()
        and len(length) < 16
        and fields.get(b"connection", b"").lower() in SIMPLE_CONNECTION
    )
