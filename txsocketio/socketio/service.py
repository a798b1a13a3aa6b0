"""A Socket.IO server as a service of an application, with its own ports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.socketio.server import Server

log = Logger()

#: Seconds that a stopping service waits for the server to close, so that a broker cannot keep the process alive.
STOP_TIMEOUT = 5.0


class SocketIOService(Service):
    """Serves `server`, and `root` beside it, from start to stop.

    Ports are bound before privileges are dropped. At the stop they are closed first and the clients then: these see
    their transport close and come back to whoever listens next.

    Args:
        server: may be served by other means, too.
        endpoints: endpoints of Twisted, or descriptions of such ("tcp:8080").
        root: what the site serves beside Socket.IO.
        title: what the log calls it.

    Raises:
        ValueError: a description is not one of an endpoint.
    """

    def __init__(
        self,
        server: Server,
        endpoints: Sequence[str | IStreamServerEndpoint],
        root: IResource | None = None,
        title: str = "Socket.IO",
    ) -> None:
        self.ports: list[IListeningPort] = []
        self._server = server
        self._site = server.site(root)
        self._title = title
        self._reactor = server.engine.clock
        self._listening = False
        self._where: list[str] = []
        self._endpoints: list[tuple[str, IStreamServerEndpoint]] = [
            (each, serverFromString(self._reactor, each)) if isinstance(each, str) else ("", each) for each in endpoints
        ]

    # Called by Twisted.
    def privilegedStartService(self) -> None:
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._listen()

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._listen()
        self._server.start().addErrback(lambda _: None)  # it is logged

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    def _listen(self) -> None:
        if self._listening:
            return
        self._listening = True
        failures: list[Failure] = []
        for description, endpoint in self._endpoints:
            endpoint.listen(self._site).addCallbacks(self._bound, failures.append, callbackArgs=(description,))
        if failures:
            failures[0].raiseException()
        log.info(
            "{title} at {path} on {where}",
            title=self._title,
            path=self._server.options.path,
            where=", ".join(self._where),
        )

    def _bound(self, port: IListeningPort, description: str) -> None:
        self.ports.append(port)
        self._where.append(describe(port, description))

    async def _stop(self) -> None:
        log.info("{title} is stopping; clients: {count}", title=self._title, count=self._server.engine.clients_count)
        ports, self.ports, self._where, self._listening = self.ports, [], [], False
        for port in ports:
            await maybeDeferred(port.stopListening)
        try:
            await self._server.close().addTimeout(STOP_TIMEOUT, self._reactor)
        except TimeoutError:
            log.warn("{title} did not close within {seconds} s", title=self._title, seconds=STOP_TIMEOUT)
        log.info("{title} has stopped", title=self._title)


def describe(port: IListeningPort, description: str) -> str:
    """Where a port can be reached, as a URL if it has one."""
    address: Json = port.getHost()
    if isinstance(address, UNIXAddress):
        return f"unix:{os.fsdecode(address.name or b'')}"
    is_secure = description.removeprefix("haproxy:").startswith(("ssl:", "tls:"))
    host, everywhere = address.host, ""
    if host in ("0.0.0.0", "::"):
        host, everywhere = "localhost", " (all interfaces)"
    if ":" in host:
        host = f"[{host}]"
    return f"{'https' if is_secure else 'http'}://{host}:{address.port}/{everywhere}"
