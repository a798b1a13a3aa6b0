"""TLS to a broker, whose certificate is checked in full."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates

from txsocketio.errors import BrokerUnavailable, OptionError

if TYPE_CHECKING:
    from OpenSSL.crypto import X509
    from twisted.internet._sslverify import IOpenSSLTrustRoot
    from twisted.internet.interfaces import ISSLTransport, IStreamClientEndpoint

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class TLS:
    """Encrypts connections to brokers.

    Args:
        ca_file: the file with the certificates, in PEM, that vouch for those of brokers; None for those of the system.

    Raises:
        OptionError: the file cannot be read, or holds no certificate.
    """

    def __init__(self, ca_file: str | None) -> None:
        self._trust = platformTrust() if ca_file is None else _trust(Path(ca_file))

    def wrap(self, endpoint: IStreamClientEndpoint, host: str) -> IStreamClientEndpoint:
        """The endpoint over TLS. Whoever connects to it has to `check` when the handshake is completed."""
        return wrapClientTLS(optionsForClientTLS(host, self._trust), endpoint)

    @staticmethod
    def check(transport: ISSLTransport, host: str) -> None:
        """Let nobody pass whose certificate is not that of the host.

        Twisted looks too, but lets a certificate without any subjectAltName pass, for whatever host (26.10).

        Raises:
            BrokerUnavailable: it is that of another host, or of none.
        """
        certificate = cast("X509", transport.getPeerCertificate()).to_cryptography()
        try:
            if isIPAddress(host) or isIPv6Address(host):
                verify_certificate_ip_address(certificate, host)
            else:
                verify_certificate_hostname(certificate, host)
        except (CertificateError, VerificationError) as error:
            raise BrokerUnavailable(f"the certificate is not that of {host}: {error}") from None


def _trust(path: Path) -> IOpenSSLTrustRoot:
    try:
        found = _CERTIFICATE.findall(path.read_bytes())
    except OSError as error:
        raise OptionError(f"ca_file cannot be read: {error}") from None
    if not found:
        raise OptionError(f"ca_file holds no certificate: {path}")
    root: IOpenSSLTrustRoot = trustRootFromCertificates([Certificate.loadPEM(each) for each in found])
    return root
