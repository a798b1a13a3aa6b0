"""Engine.IO as a guest in a site of twisted.web, and how a WebSocket takes over what its connection runs over."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.test.iosim import FakeTransport, IOPump
from twisted.test.iosim import connect as join
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.certificate import self_signed
from tests.engineio.doubles import POLLING, WEBSOCKET, Log, new_engine
from tests.engineio.line import accept, read_frames, text
from tests.sessions import UPGRADE_HEADERS
from tests.wire import CLOSE, frame, request
from txsocketio.engineio.session import Session
from txsocketio.types import Json

UPGRADE = request("GET", f"/engine.io/?{WEBSOCKET}", headers=UPGRADE_HEADERS)


class Rig:
    """An engine whose sessions echo, in a site of its own and as a guest in another."""

    def __init__(self, **options: Json) -> None:
        self.engine = new_engine(**options)
        self.log = Log()
        self.sessions: list[Session] = []
        self.engine.on_session = self._welcome
        root = Resource()
        root.putChild(b"engine.io", self.engine.resource())
        self.sites = {"own site": self.engine.site(), "guest": Site(root, reactor=self.engine.clock)}

    def _welcome(self, session: Session) -> None:
        self.sessions.append(session)
        self.log.listen(session)
        session.on_message = session.send


@pytest.fixture(params=["own site", "guest"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Over TLS


@pytest.fixture(scope="module")
def certificate() -> CertificateOptions:
    return self_signed()


class Reader(Protocol):
    """The client's end."""

    def __init__(self) -> None:
        self.received = b""
        self.is_lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: object = None) -> None:
        self.is_lost = True

    def take(self) -> bytes:
        taken, self.received = self.received, b""
        return taken


def join_by_tls(rig: Rig, kind: str, certificate: CertificateOptions) -> tuple[Reader, IOPump]:
    """A client's connection to a site, encrypted."""
    clock = rig.engine.clock
    server = TLSMemoryBIOFactory(certificate, False, rig.sites[kind], clock).buildProtocol(None)
    reader = Reader()
    client_factory = TLSMemoryBIOFactory(CertificateOptions(), True, Factory.forProtocol(lambda: reader), clock)
    client = client_factory.buildProtocol(None)
    assert isinstance(client, TLSMemoryBIOProtocol)
    pump = join(server, FakeTransport(server, True), client, FakeTransport(client, False), clock=clock)
    pump.flush()
    return reader, pump


def test_websocket_over_tls(kind: str, certificate: CertificateOptions) -> None:
    """Handshake, frames that came with it, messages both ways, the end."""
    rig = Rig()
    client, pump = join_by_tls(rig, kind, certificate)
    client.transport.write(UPGRADE + text("early"))
    pump.flush()
    head, _, frames = client.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert read_frames(frames)[1:] == ["4early"]
    assert rig.sessions[0].request.secure
    for message in ("a", "b" * 100_000):
        client.transport.write(text(message))
        pump.flush()
        assert read_frames(client.take()) == ["4" + message]
    rig.sessions[0].close()
    pump.flush()
    assert read_frames(client.take()) == ["close 1005"]
    client.transport.write(frame(CLOSE))
    pump.flush()
    assert client.is_lost
    assert rig.log[-1] == "close forced close" and not rig.engine.websockets


def test_long_polling_over_tls(kind: str, certificate: CertificateOptions) -> None:
    rig = Rig()
    client, pump = join_by_tls(rig, kind, certificate)
    client.transport.write(request("GET", f"/engine.io/?{POLLING}"))
    pump.flush()
    assert client.take().startswith(b"HTTP/1.1 200 OK\r\n")
    session = f"/engine.io/?{POLLING}&sid={rig.sessions[0].sid}"
    client.transport.write(request("POST", session, b"4hello") + request("GET", session))
    pump.flush()
    assert client.take().endswith(b"4hello")
    assert rig.sessions[0].request.secure


def test_client_over_tls_that_goes(kind: str, certificate: CertificateOptions) -> None:
    rig = Rig()
    client, pump = join_by_tls(rig, kind, certificate)
    client.transport.write(UPGRADE)
    pump.flush()
    client.transport.loseConnection()
    pump.flush()
    assert rig.log[-1] == "close transport close"
    assert not rig.engine.websockets and len(rig.engine.deadlines) == 0


# Behind a proxy that speaks the PROXY protocol


def test_client_behind_haproxy(kind: str) -> None:
    """Its address is the one that the proxy tells."""
    rig = Rig()
    line = accept(HAProxyWrappingFactory(rig.sites[kind]))
    line.feed(b"PROXY TCP4 203.0.113.9 10.0.0.1 40000 80\r\n" + UPGRADE + text("early"))
    head, _, frames = line.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert read_frames(frames)[1:] == ["4early"]
    assert rig.sessions[0].request.address == "203.0.113.9"
    line.feed(text("hello"))
    assert read_frames(line.take()) == ["4hello"]
    line.lose()
    assert rig.log[-1] == "close transport close"


# Other people's sites


@pytest.mark.parametrize("path", [b"engine.io", b"", b"a"])
def test_guest_anywhere(path: bytes) -> None:
    """A guest answers whatever its host lets come to it; `path` is for a site of its own."""
    rig = Rig()
    root = Resource()
    root.putChild(path, rig.engine.resource())
    line = accept(Site(root, reactor=rig.engine.clock))
    for target in (f"/{path.decode()}?{POLLING}", f"/{path.decode()}/?{POLLING}".replace("//", "/")):
        line.feed(request("GET", target))
        assert line.take().startswith(b"HTTP/1.1 200 OK\r\n")


def test_guest_with_a_body_above_the_limit() -> None:
    """The host has read it before we are asked; it is refused, and the session lives."""
    rig = Rig(max_http_buffer_size=100)
    line = accept(rig.sites["guest"])
    line.feed(request("GET", f"/engine.io/?{POLLING}"))
    session = f"/engine.io/?{POLLING}&sid={rig.sessions[0].sid}"
    line.take()
    line.feed(request("POST", session, b"4" * 101))
    assert line.take().startswith(b"HTTP/1.1 413 ")
    assert rig.sessions[0].is_open


@pytest.mark.parametrize("behind", [b"", text("early")])
def test_host_s_producer_gives_way(behind: bytes) -> None:
    """The transport's backpressure is the session's business from the handshake on."""
    rig = Rig()
    line = accept(rig.sites["guest"])
    line.feed(UPGRADE + behind)
    line.take()
    line.block()
    for _ in range(100):
        rig.sessions[0].send("x" * 1000)
    assert not rig.sessions[0].is_writable
    line.unblock()
    assert rig.sessions[0].is_writable
    assert len(read_frames(line.take())) == 100


def test_connection_whose_request_cannot_be_answered(kind: str, logged_errors: Json) -> None:
    """It ends, rather than let the client wait."""
    gate: Deferred[bool] = Deferred()
    rig = Rig(allow_request=lambda request: gate)
    rig.engine.on_session = lambda session: 1 // 0
    line = accept(rig.sites[kind])
    line.feed(request("GET", f"/engine.io/?{POLLING}"))
    gate.callback(True)
    assert line.take() == b"" and line.disconnecting
    assert len(logged_errors.take(ZeroDivisionError)) == 1
    line.lose()


def test_files_get_the_rest_of_the_path(kind: str) -> None:
    """The name of what is asked for below our path, whichever way the request came."""
    asked: list[str] = []
    rig = Rig()

    def files(exchange: Json, name: str) -> bool:
        asked.append(name)
        exchange.respond(200, [], b"text")
        return True

    rig.engine.files = files
    line = accept(rig.sites[kind])
    sent = request("GET", "/engine.io/socket.io.js?x=1")
    answers: list[bytes] = []
    steps: list[Callable[[], None]] = [
        lambda: line.feed(sent),
        lambda: [line.feed(bytes([byte])) for byte in sent] and None,
    ]
    for step in steps:
        step()
        answers.append(line.take())
    assert asked == ["socket.io.js"] * 2
    assert all(answer.endswith(b"text") for answer in answers)
