"""A site of our own: an engine below its path, somebody's pages beside it, and limits for all of it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.web.http import datetimeToString
from twisted.web.pages import notFound
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from txsocketio.engineio.channel import LightChannel
from txsocketio.engineio.resource import EngineResource

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

    from txsocketio.engineio.engine import Engine


class EngineSite(Site):
    """Serves an engine below its path, and everything else from `root`.

    HTTP/2 is not offered: a WebSocket cannot come that way here.
    """

    def __init__(self, engine: Engine, root: IResource | None = None) -> None:
        options = engine.options
        super().__init__(
            root if root is not None else notFound(),
            requestFactory=LimitedRequest,
            timeout=options.idle_timeout,
            reactor=engine.clock,
        )
        self.engine = engine
        self._resource = EngineResource(engine)
        self._path = [part.encode() for part in options.path.split("/") if part]
        path = b"/" + b"/".join(self._path) + b"/"
        self.path = path if self._path else b"/"
        self.prefixes = (b"GET " + self.path, b"POST " + self.path)
        self._date_second = -1
        self._date = b""

    @property
    def date(self) -> bytes:
        """What the Date field says now."""
        second = int(self.engine.clock.seconds())
        if second != self._date_second:
            self._date_second = second
            self._date = datetimeToString(second)
        return self._date

    # Called by twisted.web.
    def buildProtocol(self, addr: IAddress | None) -> Any:
        channel: Any = LightChannel(self)
        channel.factory = self
        channel.requestFactory = self.requestFactory
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.engine.options.head_timeout
        return channel

    def getResourceFor(self, request: Request) -> IResource:
        depth = len(self._path)
        path: list[bytes] = request.postpath or []
        if path[:depth] == self._path:
            request.prepath, request.postpath = path[:depth], path[depth:]
            return self._resource
        return super().getResourceFor(request)  # type: ignore[no-any-return]

    def is_ours(self, target: bytes) -> bool:
        """Whether the engine answers a request, by the rule of `getResourceFor`."""
        parts = [unquote_to_bytes(part) for part in target.partition(b"?")[0].split(b"/")[1:]]
        return parts[: len(self._path)] == self._path

    def body_limit(self, target: bytes) -> float:
        """How many bytes the body of a request may have."""
        options = self.engine.options
        limit = options.max_http_buffer_size if self.is_ours(target) else options.max_root_body_size
        return inf if limit is None else limit

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]

    def log(self, request: Any) -> None:
        """No access log: a poll would cost a third more (54 us of CPU against 69)."""


class LimitedRequest(Request):
    """A request of twisted.web whose body is refused as soon as it is announced, or has grown, beyond its limit."""

    _limit: float = 0
    _received = 0
    _refused = False

    # Called by twisted.web.
    def gotLength(self, length: int | None) -> None:
        if length != 0:
            channel: Any = self.channel
            self._limit = channel.site.body_limit(channel._path)
            self._check(length or 0)
        if not self._refused:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if not self._refused:
            self._check(self._received)
        if not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        # The end of a body may stand right behind what was too much of it.
        if not self._refused:
            super().requestReceived(command, path, version)

    def _check(self, size: int) -> None:
        if size > self._limit:
            self._refused = True
            # Or twisted.web would ask for the body behind our answer.
            self.requestHeaders.removeHeader(b"Expect")
            channel: Any = self.channel
            channel.refuse_body(self)
