"""Whose certificates are accepted, over real connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.x509 import DNSName, GeneralName, IPAddress
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.python.failure import Failure

from tests.adapters.rabbitmq_nodes import QUICK, Node, until
from tests.adapters.redis_clients import Log, Watched
from tests.certificate import self_signed_pem
from txsocketio.adapters.tls import TLS
from txsocketio.errors import BrokerUnavailable


class Server(Protocol):
    """Sends back what it gets."""

    def connectionMade(self) -> None:
        self.factory.attempts.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.factory.received.append(data)
        self.transport.write(data)
        self.transport.loseConnection()


class Client(Protocol):
    """Sends a password; fires with the answer, or fails with the reason of the end."""

    def __init__(self) -> None:
        self.answer: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(b"password")

    def dataReceived(self, data: bytes) -> None:
        self.answer.callback(data)

    def connectionLost(self, reason: Failure) -> None:
        if not self.answer.called:
            self.answer.errback(reason)


class Broker:
    """Somebody with a certificate.

    Attributes:
        certificate: the file with it, which is an authority too.
        received: what clients have sent.
        attempts: to connect.
    """

    def __init__(self, names: Sequence[GeneralName], folder: Path) -> None:
        pem = self_signed_pem(names)
        self.certificate = folder / "certificate.pem"
        self.certificate.write_bytes(pem)
        factory = Factory.forProtocol(Server)
        factory.received = self.received = []
        factory.attempts = self.attempts = []
        options = PrivateCertificate.loadPEM(pem).options()
        self.port: IListeningPort = reactor.listenSSL(0, factory, options, interface="127.0.0.1")

    async def ask(self, host: str, ca_file: str | None) -> bytes:
        """What a client gets to hear that trusts a file."""
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", self.port.getHost().port)
        client = await TLS(ca_file).wrap(endpoint, host).connect(Factory.forProtocol(Client))
        try:
            return await client.answer
        finally:
            client.transport.loseConnection()


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """One with a certificate for the names that the test gives."""
    made = Broker(request.param, tmp_path)
    yield made
    blockon(made.port.stopListening())


LOCAL = [
    DNSName("localhost"),
    DNSName("*.brokers.example"),
    DNSName("xn--bcher-kva.example"),
    IPAddress(ip_address("127.0.0.1")),
]


@pytest.mark.parametrize("broker", [LOCAL], indirect=True)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "kafka.brokers.example", "bücher.example"])
async def test_certificate_of_the_host_is_accepted(broker: Broker, host: str) -> None:
    """By name or address, of whatever letters."""
    assert await broker.ask(host, str(broker.certificate)) == b"password"


OTHERS = [DNSName("a.example"), DNSName("b.example")]


@pytest.mark.parametrize(
    ("broker", "why"),
    [([], ": Certificate does not contain any `subjectAltName`s."), (OTHERS, ", but of a.example, b.example")],
    indirect=["broker"],
)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_certificate_of_nobody_or_another_is_refused(broker: Broker, host: str, why: str) -> None:
    """One line says why, and the log gets nothing besides; no password is sent."""
    with pytest.raises(BrokerUnavailable) as raised:
        await broker.ask(host, str(broker.certificate))
    assert str(raised.value) == f"the certificate is not that of {host}{why}"
    assert not broker.received


@pytest.mark.parametrize("broker", [LOCAL], indirect=True)
async def test_certificate_that_nobody_vouches_for_is_refused(broker: Broker) -> None:
    """By default the authorities of the system would have to."""
    with pytest.raises(Exception, match="certificate verify failed"):
        await broker.ask("localhost", None)
    assert not broker.received


@pytest.mark.parametrize("broker", [[]], indirect=True)
@pytest.mark.parametrize("kind", ["rediss", "amqps"])
async def test_refusal_is_told_once(broker: Broker, kind: str) -> None:
    """However often it is tried again, until all is well."""
    url = f"{kind}://user:password@localhost:{broker.port.getHost().port}"
    with Log() as lines:
        options = {"ca_file": str(broker.certificate)}
        client = Watched(url, **options) if kind == "rediss" else Node(url, "prefix", **options, **QUICK)
        started = client.start()
        await until(lambda: len(broker.attempts) >= 4)
        await client.stop()
    with suppress(BrokerUnavailable):
        await started
    (line,) = [line for line in lines if "certificate" in line]
    assert line.endswith(
        "the certificate is not that of localhost: Certificate does not contain any `subjectAltName`s."
    )
    assert not broker.received
