"""Servers for the real clients: ours in the process of the test, or any that a command starts.

The expectations of these tests were proven right on the Node server first. To do that again with an application of the
same contract as `application.py`, name the command that serves it:

    INTEROP_SERVER="node application.js {port}" pytest tests/interop
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.web.server import Site

from tests.conftest import ROOT
from txsocketio import Server

LOOPBACK = "127.0.0.1"

Application = Callable[[], Server]


class Served(Protocol):
    """A server under test, at a port that stays the same when it is started again."""

    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class InProcess(Served):
    """Our server on the reactor of the test.

    Args:
        make_site: how the server is reached by HTTP.
        certificate: makes it HTTPS.
    """

    def __init__(
        self,
        application: Application,
        make_site: Callable[[Server], Site] = Server.site,
        certificate: PrivateCertificate | None = None,
    ) -> None:
        self.port = 0
        self._application = application
        self._make_site = make_site
        self._certificate = certificate

    @property
    def url(self) -> str:
        return super().url if self._certificate is None else f"https://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        self.io = self._application()
        site = self._make_site(self.io)
        if self._certificate is not None:
            site = TLSMemoryBIOFactory(self._certificate.options(), isClient=False, wrappedFactory=site)
        self._listening: IListeningPort = reactor.listenTCP(self.port, site, interface=LOOPBACK)
        self.port = self._listening.getHost().port

    async def stop(self) -> None:
        await self.io.close()
        await self._listening.stopListening()


class Command(ProcessProtocol, Served):
    """A server that a command starts on the port that stands for "{port}"; it names the port once it listens."""

    transport: IProcessTransport

    def __init__(self, command: list[str]) -> None:
        self.port = free_port()
        self.output = b""
        self._command = [argument.replace("{port}", str(self.port)) for argument in command]
        self._started: Deferred[None] = Deferred()
        self._ended: Deferred[None] = Deferred()

    async def start(self) -> None:
        self.output = b""
        self._started, self._ended = Deferred(), Deferred()
        reactor.spawnProcess(self, self._command[0], self._command, env=os.environ | {"PYTHONPATH": str(ROOT)})
        await self._started

    async def stop(self) -> None:
        """SIGTERM: the server may say goodbye."""
        self.transport.signalProcess("TERM")
        await self._ended

    # Called by Twisted.

    def outReceived(self, data: bytes) -> None:
        self.output += data
        if not self._started.called and str(self.port).encode() in self.output:
            self._started.callback(None)

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        if not self._started.called:
            self._started.errback(AssertionError(f"did not start\n{self.output.decode()}"))
        self._ended.callback(None)


def twistd(*flags: str) -> Command:
    """Our server started by twistd."""
    program = Path(sys.executable).with_name("twistd")
    listen = f"tcp:{{port}}:interface={LOOPBACK}"
    return Command([str(program), "--nodaemon", "--pidfile=", "socketio", "--listen", listen, *flags])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def server_under_test(application: Application, make_site: Callable[[Server], Site] = Server.site) -> Served:
    if command := os.environ.get("INTEROP_SERVER"):
        return Command(shlex.split(command))
    return InProcess(application, make_site)
