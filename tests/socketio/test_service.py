"""A server as a service of an application."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.testing import MemoryReactorClock
from twisted.web.server import Site

from txsocketio.socketio.service import STOP_TIMEOUT, SocketIOService, describe


class RecordingServer:
    """What the service asks of a server, in order."""

    options = SimpleNamespace(path="/socket.io")

    def __init__(self, close: Callable[[], Deferred[None]] = lambda: succeed(None)) -> None:
        self.engine = SimpleNamespace(clients_count=3, clock=MemoryReactorClock())
        self.asked: list[str] = []
        self._close = close

    def site(self, root: object) -> Site:
        self.asked.append("site")
        return Site(root)

    def start(self) -> Deferred[None]:
        self.asked.append("start")
        return succeed(None)

    def close(self) -> Deferred[None]:
        self.asked.append("close")
        return self._close()


def serving(server: RecordingServer, *endpoints: str) -> tuple[SocketIOService, MemoryReactorClock]:
    return SocketIOService(server, endpoints), server.engine.clock


def test_ports_are_bound_before_privileges_are_dropped() -> None:
    """A port below 1024 needs root, and nothing else does."""
    server = RecordingServer()
    service, reactor = serving(server, "tcp:80", "unix:x.sock")
    service.privilegedStartService()
    assert (reactor.tcpServers[0][0], reactor.unixServers[0][0]) == (80, "x.sock")
    assert server.asked == ["site"]
    service.startService()
    assert len(reactor.tcpServers) == 1
    assert server.asked == ["site", "start"]


def test_without_privileges_the_start_binds() -> None:
    """An application that is running already starts its new services in one step."""
    service, reactor = serving(RecordingServer(), "tcp:8080")
    service.startService()
    assert len(service.ports) == len(reactor.tcpServers) == 1


def test_it_can_start_again() -> None:
    """A service that was stopped is as it was before."""
    service, reactor = serving(RecordingServer(), "tcp:8080")
    service.startService()
    service.stopService()
    service.startService()
    assert len(reactor.tcpServers) == 2


def test_a_port_that_cannot_be_bound_is_an_error_of_the_start() -> None:
    """Nobody wants a server that listens nowhere."""
    service, reactor = serving(RecordingServer(), "tcp:80", "tcp:81")

    def refuse(port: int, *_: object, **__: object) -> None:
        raise CannotListenError("any", port, "in use")

    reactor.listenTCP = refuse
    with pytest.raises(CannotListenError, match="80"):
        service.startService()


def test_the_stop_waits_until_the_server_is_closed() -> None:
    """What the server still has to do gets done."""
    closing: Deferred[None] = Deferred()
    service, _ = serving(RecordingServer(lambda: closing), "tcp:80")
    service.startService()
    stopped = service.stopService()
    assert not stopped.called
    closing.callback(None)
    assert stopped.called


def test_a_server_that_does_not_close_cannot_keep_the_process() -> None:
    """A broker that does not answer, for instance."""
    service, reactor = serving(RecordingServer(Deferred), "tcp:80")
    service.startService()
    stopped = service.stopService()
    reactor.advance(STOP_TIMEOUT)
    assert stopped.called


@pytest.mark.parametrize(
    ("address", "description", "told"),
    [
        (IPv4Address("TCP", "0.0.0.0", 3000), "tcp:3000", "http://localhost:3000/ (all interfaces)"),
        (IPv6Address("TCP", "::", 3000), "tcp6:3000", "http://localhost:3000/ (all interfaces)"),
        (IPv6Address("TCP", "::1", 3000), "tcp6:3000:interface=\\:\\:1", "http://[::1]:3000/"),
        (IPv4Address("TCP", "10.0.0.1", 443), "ssl:443:interface=10.0.0.1", "https://10.0.0.1:443/"),
        (IPv4Address("TCP", "10.0.0.1", 443), "haproxy:ssl:443", "https://10.0.0.1:443/"),
        (UNIXAddress("/run/chat.sock"), "unix:/run/chat.sock", "unix:/run/chat.sock"),
    ],
)
def test_the_log_tells_where_it_listens(address: IAddress, description: str, told: str) -> None:
    """In a form that can be clicked on."""

    class Port:
        def getHost(self) -> IAddress:
            return address

    port: IListeningPort = Port()
    assert describe(port, description) == told
