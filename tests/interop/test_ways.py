"""The real clients on other ways to our server than a plain site of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest
from twisted.internet.ssl import PrivateCertificate

from tests.bad_input.serving import guest_site
from tests.conftest import require
from tests.interop.application import create_server
from tests.interop.conftest import Begin, Serve
from tests.interop.servers import InProcess
from tests.interop.test_messages import VALUES, mixed
from txsocketio import Server

pytestmark = pytest.mark.skipif("INTEROP_SERVER" in os.environ, reason="about our server")


@pytest.fixture(scope="session")
def certificate() -> PrivateCertificate:
    """One that signs itself, with its key."""
    require("openssl")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout - -days 1 -subj /CN=localhost"
    return PrivateCertificate.loadPEM(subprocess.run(make.split(), check=True, capture_output=True).stdout)


def as_guest(certificate: PrivateCertificate) -> InProcess:
    return InProcess(create_server, guest_site)


def over_tls(certificate: PrivateCertificate) -> InProcess:
    return InProcess(create_server, Server.site, certificate)


@pytest.mark.parametrize("way", [as_guest, over_tls])
async def test_messages_pass_on_every_way(
    serve: Serve,
    begin: Begin,
    certificate: PrivateCertificate,
    client: str,
    transport: str,
    way: Callable[[PrivateCertificate], InProcess],
) -> None:
    """As a resource in somebody's site, and over TLS: values, order and big messages are what they were."""
    server = await serve(way(certificate))
    facts = await begin(client, "echo", server.url, transport).finish()
    assert facts["acknowledged"] == facts["repeated"] == VALUES
    facts = await begin(client, "order", server.url, transport).finish()
    assert facts == {"down": list(range(1000)), "mixed down": mixed(100), "up and down": mixed(1000)}
    facts = await begin(client, "payload", server.url, transport).finish()
    assert facts["text"]["same"]
    assert facts["binary"]["same"]
