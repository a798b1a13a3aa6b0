"""TLS to a broker, whose certificate is checked in full."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.x509 import SubjectAlternativeName
from OpenSSL.SSL import VERIFY_PEER, Connection
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, platformTrust, trustRootFromCertificates
from twisted.python.failure import Failure
from zope.interface import implementer

from txsocketio.errors import BrokerUnavailable, OptionError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as X509Certificate
    from OpenSSL.crypto import X509
    from twisted.internet._sslverify import IOpenSSLTrustRoot
    from twisted.internet.interfaces import IStreamClientEndpoint
    from twisted.protocols.tls import TLSMemoryBIOProtocol

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class TLS:
    """Encrypts connections to brokers.

    Args:
        ca_file: the file with the certificates, in PEM, that vouch for those of brokers; None for those of the system.

    Raises:
        OptionError: the file cannot be read, or holds no certificate.
    """

    def __init__(self, ca_file: str | None) -> None:
        self._options = CertificateOptions(trustRoot=platformTrust() if ca_file is None else _trust(Path(ca_file)))

    def wrap(self, endpoint: IStreamClientEndpoint, host: str) -> IStreamClientEndpoint:
        """The endpoint over TLS.

        The handshake fails with whoever has no certificate of the host: such a connection is lost with a
        BrokerUnavailable that says why, and nothing has been sent over it.
        """
        return wrapClientTLS(_Handshake(self._options, host), endpoint)


@implementer(IOpenSSLClientConnectionCreator)
class _Handshake:
    """What Twisted has for this logs an error each time that a certificate has no subjectAltName, and lets it pass."""

    def __init__(self, options: CertificateOptions, host: str) -> None:
        self._context = options.getContext()
        self._host = host.encode("idna").decode()
        self._is_address = isIPAddress(host) or isIPv6Address(host)

    # Called by Twisted.

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> Connection:
        def verify(_: Connection, certificate: X509, error: int, depth: int, is_trusted: int) -> bool:
            if not is_trusted or depth:
                return bool(is_trusted)
            why = self._complaint(certificate.to_cryptography())
            if why:
                protocol.failVerification(Failure(BrokerUnavailable(why)))
            return not why

        connection = Connection(self._context)
        if not self._is_address:
            connection.set_tlsext_host_name(self._host.encode())
        connection.set_verify(VERIFY_PEER, verify)
        return connection

    def _complaint(self, certificate: X509Certificate) -> str:
        """Why the certificate is not that of the host; empty when it is."""
        verify = verify_certificate_ip_address if self._is_address else verify_certificate_hostname
        try:
            verify(certificate, self._host)
        except VerificationError:
            return f"the certificate is not that of {self._host}, but of {_names(certificate)}"
        except CertificateError as error:
            return f"the certificate is not that of {self._host}: {error}"
        return ""


def _names(certificate: X509Certificate) -> str:
    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    return ", ".join(str(name.value) for name in names)


def _trust(path: Path) -> IOpenSSLTrustRoot:
    try:
        found = _CERTIFICATE.findall(path.read_bytes())
    except OSError as error:
        raise OptionError(f"ca_file cannot be read: {error}") from None
    if not found:
        raise OptionError(f"ca_file holds no certificate: {path}")
    root: IOpenSSLTrustRoot = trustRootFromCertificates([Certificate.loadPEM(each) for each in found])
    return root
