"""Engine.IO as a guest in somebody's twisted.web site.

    root.putChild(b"socket.io", engine.resource())

twisted.web reads a whole body before it asks a resource, so as a guest a body above the limit is refused only then, and
a POST that is cut off is never seen. In a site of our own (`site.py`) neither is so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IProtocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from txsocketio.engineio.exchange import REASONS, Exchange, Fields
from txsocketio.engineio.request import HTTPRequest

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from txsocketio.engineio.engine import Engine


#: The size from which on an answer may have to wait for its reader: what a transport of Twisted takes at once.
MAX_AT_ONCE = 65536


class EngineResource(Resource):
    """Answers every request at or below its place."""

    isLeaf = True

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine

    # Called by twisted.web.
    def render(self, request: Request) -> int:
        kind = StreamExchange if hasattr(request.channel, "streamID") else WebExchange
        exchange = kind(request, self.engine.options.idle_timeout)
        self.engine.handle(exchange, b"/".join(request.postpath or []).decode("latin-1"))
        return NOT_DONE_YET


class WebExchange(Exchange):
    """A request of twisted.web.

    Args:
        web: the request.
        patience: seconds that the client has to read a long answer.
    """

    __slots__ = ("_is_watched", "_patience", "_web")

    def __init__(self, web: Request, patience: float) -> None:
        content = web.content
        super().__init__(request_of(web), content.read() if content is not None else b"")
        self._web = web
        self._is_watched = False
        self._patience = patience

    def watch(self, on_lost: Callable[[], None] | None = None) -> None:
        super().watch(on_lost)
        if not self._is_watched:
            self._is_watched = True
            self._web.notifyFinish().addErrback(self._finished)

    def _finished(self, failure: Failure) -> None:
        self.lost()

    def respond(self, status: int, fields: Fields, body: bytes = b"", close: bool = False) -> None:
        if self.answered:
            return
        self.answered = True
        web = self._web
        web.setResponseCode(status, REASONS[status])
        headers = web.responseHeaders
        headers.removeHeader(b"Server")
        headers.removeHeader(b"Content-Type")
        for name, value in fields:
            headers.addRawHeader(name, value)
        if status not in (204, 304):  # RFC 9110, 8.6
            headers.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        if close:
            self.close_behind()
        self.write(body)

    def close_behind(self) -> None:
        """End the connection behind the answer."""
        self._web.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        self._web.channel.persistent = False

    def write(self, body: bytes) -> None:
        """Write the body of the answer, and end it when the connection has taken it."""
        web = self._web
        if len(body) < MAX_AT_ONCE:
            web.write(body)
            web.finish()
            return
        web.registerProducer(self, True)
        web.write(body)
        if self.unread:
            web.channel.setTimeout(self._patience)
        else:
            self._finish()

    def _finish(self) -> None:
        self._web.unregisterProducer()
        self._web.finish()

    def drop(self) -> None:
        self.answered = True
        self._web.loseConnection()

    def abort(self) -> None:
        self.transport.abortConnection()

    # Called by twisted.web while a long answer is written: the request is not over before it has left.
    def pauseProducing(self) -> None:
        self.unread = True

    def resumeProducing(self) -> None:
        if self.unread:
            self.unread = False
            self._finish()

    def stopProducing(self) -> None:
        """Nothing: `_finished` follows."""

    @property
    def transport(self) -> Any:
        return self._web.channel.transport

    def hand_over(self, protocol: IProtocol) -> bytes:
        self.answered = True
        channel: Any = self._web.channel
        channel.requests.remove(self._web)
        rest = b"".join(channel._dataBuffer)
        detach(channel, protocol)
        # What is left of the bytes that are being read just now comes to the channel as raw data.
        channel.rawDataReceived = protocol.dataReceived
        return rest


class StreamExchange(WebExchange):
    """A request of HTTP/2, which is a stream of its connection.

    A stream learns of the window that its client has opened, not whether the connection takes anything: a client that
    opens wide and reads nothing would have an answer kept for each of its hundred streams. So an answer is unread until
    all of it was handed to the connection, which twisted.web tells nobody but its own clean-up.
    """

    __slots__ = ("_stream",)

    def __init__(self, web: Request, patience: float) -> None:
        super().__init__(web, patience)
        self._stream: Any = web.channel

    def close_behind(self) -> None:
        """Nothing: the stream ends in any case, and the connection is everybody's."""

    def write(self, body: bytes) -> None:
        stream = self._stream
        self.unread = True
        stream._conn._streamCleanupCallbacks[stream.streamID].addCallback(self._left)
        self._web.write(body)
        self._web.finish()

    def _left(self, stream_id: int) -> None:
        if self._web._disconnected:
            self.lost()
        self.unread = False

    def drop(self) -> None:
        self.answered = True
        self.abort()

    def abort(self) -> None:
        self._stream.abortConnection()

    @property
    def transport(self) -> None:
        """None: it cannot become a WebSocket."""


def detach(channel: Any, protocol: IProtocol) -> None:
    """Take the connection away from an HTTPChannel, which knows no way to give it up."""
    transport, channel.transport = channel.transport, None
    channel._networkProducer.unregisterProducer()
    channel.setTimeout(None)
    if isinstance(transport, ProtocolWrapper):  # TLS, HAProxy's PROXY protocol
        transport.wrappedProtocol = protocol
    elif isinstance(getattr(transport, "protocol", None), ProtocolWrapper):
        transport.protocol.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    transport.resumeProducing()


def request_of(web: Request) -> HTTPRequest:
    """The head of a request of twisted.web."""

    def peer() -> tuple[str, bool]:
        return getattr(web.getClientAddress(), "host", "") or "", web.isSecure()

    return HTTPRequest(web.method.decode("latin-1"), web.uri.decode("latin-1"), fields_of(web), peer)


def fields_of(web: Request) -> dict[bytes, bytes]:
    """The header fields of a request of twisted.web; those that came several times are joined as HTTP joins them."""
    fields = {}
    for name, values in web.requestHeaders.getAllRawHeaders():
        low = name.lower()
        fields[low] = values[0] if len(values) == 1 else (b"; " if low == b"cookie" else b", ").join(values)
    return fields
