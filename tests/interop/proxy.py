"""A TCP proxy between one client and the server, whose connections can be cut."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IListeningPort
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.interop.servers import LOOPBACK


class Near(Protocol):
    """A connection of the client."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.far = Far(self)

    def cut(self, silently: bool, abruptly: bool) -> None:
        """End the connection; the server is not told when it is to be silent."""
        self.far.cut(silently)
        if abruptly:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    def stall(self) -> None:
        """Carry nothing any more; neither side is told."""
        self.far.cut(silently=True)
        self.transport.pauseProducing()

    # Called by Twisted.

    def connectionMade(self) -> None:
        if self.proxy.is_closed:
            return self.transport.abortConnection()
        self.proxy.links.add(self)
        self.transport.pauseProducing()
        reactor.connectTCP(LOOPBACK, self.proxy.server_port, To(self.far))

    def dataReceived(self, data: bytes) -> None:
        self.far.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.proxy.links.discard(self)
        if not self.far.is_cut and self.far.transport is not None:
            self.far.transport.loseConnection()


class Far(Protocol):
    """The other half, a connection to the server."""

    def __init__(self, near: Near) -> None:
        self.near = near
        self.is_cut = False

    def cut(self, silently: bool) -> None:
        self.is_cut = True
        if self.transport is None:
            return
        if silently:
            self.transport.pauseProducing()
            self.near.proxy.silent.add(self)
        else:
            self.transport.abortConnection()

    # Called by Twisted.

    def connectionMade(self) -> None:
        if self.near.connected and not self.is_cut:
            self.near.transport.resumeProducing()
            self.near.proxy.used()
        else:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if not self.is_cut:
            self.near.proxy.forward(self.near, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.near.proxy.silent.discard(self)
        if not self.is_cut:
            self.near.transport.loseConnection()


class To(ClientFactory):
    """Connects one `Far`."""

    noisy = False

    def __init__(self, far: Far) -> None:
        self.far = far

    def buildProtocol(self, address: IAddress) -> Far:
        return self.far

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.far.near.transport.abortConnection()


class Proxy(Factory):
    """Listens for one client.

    Attributes:
        links: the connections of the client.
        silent: those to the server that were cut without a word.
        is_closed: whether nobody gets through.
    """

    noisy = False

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.links: set[Near] = set()
        self.silent: set[Far] = set()
        self.is_closed = False
        self._waiting: list[Deferred[None]] = []
        self._rest: int | None = None
        self._silently = False
        self._cut: Deferred[None] = Deferred()

    def start(self) -> str:
        """Listen; gives the URL."""
        self._port: IListeningPort = reactor.listenTCP(0, self, interface=LOOPBACK)
        return f"http://{LOOPBACK}:{self._port.getHost().port}"

    async def stop(self) -> None:
        for link in list(self.links):
            link.cut(silently=False, abruptly=True)
        for far in list(self.silent):
            far.transport.abortConnection()
        await self._port.stopListening()

    async def in_use(self) -> None:
        """Wait until the client has a connection to the server."""
        if not any(link.far.connected for link in self.links):
            self._waiting.append(Deferred())
            await self._waiting[-1]

    def cut(self, silently: bool, abruptly: bool = True) -> None:
        """Cut all connections of the client."""
        for link in list(self.links):
            link.cut(silently, abruptly)

    def stall(self) -> None:
        """Have all connections of the client carry nothing any more; neither side is told."""
        for link in self.links:
            link.stall()

    def cut_behind(self, count: int, silently: bool) -> Deferred[None]:
        """Cut them when the client has been sent so many more bytes, which it still gets."""
        self._rest, self._silently, self._cut = count, silently, Deferred()
        return self._cut

    # --- what the connections tell ---

    def used(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def forward(self, near: Near, data: bytes) -> None:
        if self._rest is not None and len(data) >= self._rest:
            near.transport.write(data[: self._rest])
            self._rest = None
            self.cut(self._silently, abruptly=False)
            self._cut.callback(None)
            return
        if self._rest is not None:
            self._rest -= len(data)
        near.transport.write(data)

    # Called by Twisted.

    def buildProtocol(self, address: IAddress) -> Near:
        return Near(self)
