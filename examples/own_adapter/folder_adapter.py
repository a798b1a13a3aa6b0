"""An adapter of your own: the servers of one machine, joined by a folder in which each has a socket.

    PYTHONPATH=examples:examples/own_adapter twistd -n --pidfile= socketio --app chat:setup --adapter folder:/tmp/chat

and the same in another terminal with `--listen tcp:3001`. Who is in a room hears what is said there, on either port.

The plugin beside this file, in twisted/plugins/, makes it known. It is an example, and no broker for production: a
message that finds the socket of another server full is dropped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.protocol import DatagramProtocol

from txsocketio.cluster.adapter import ClusterAdapter
from txsocketio.cluster.options import MemberOptions
from txsocketio.cluster.peers import PeerAdapter, PeerBroker
from txsocketio.cluster.wire import split
from txsocketio.engineio.options import option
from txsocketio.errors import BadMessage
from txsocketio.socketio.namespace import Namespace
from txsocketio.socketio.server import Server


@dataclass(kw_only=True)
class FolderOptions(MemberOptions):
    """The options of `folder:`, with those of all brokers where servers count each other."""

    max_size: int = option(100_000, "Bytes of the largest message that is taken.")


class FolderBroker(PeerBroker):
    """Carries messages between the servers that were given the same folder."""

    options_class = FolderOptions

    def __init__(self, server: Server, url: str, options: FolderOptions) -> None:
        super().__init__(server, url, options)
        self._folder = url.partition(":")[2]
        self._size = options.max_size
        self._inbox = Inbox(self)

    def adapter(self, namespace: Namespace) -> ClusterAdapter:
        return PeerAdapter(namespace, self)

    def start(self) -> Deferred[None]:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        reactor.listenUNIXDatagram(self._path(self.node), self._inbox, maxPacketSize=self._size, mode=0o600)
        self.connected()
        self.members.start()
        return succeed(None)

    def stop(self) -> Deferred[None]:
        self.members.stop()
        self.lost()
        stopped = maybeDeferred(self._inbox.transport.stopListening)
        return stopped.addCallback(lambda _: os.unlink(self._path(self.node)))

    def send(self, head: bytes, body: bytes) -> Deferred[None]:
        for node in os.listdir(self._folder):
            if node != self.node:
                self.send_to(node, head, body)
        return succeed(None)

    def send_to(self, node: str, head: bytes, body: bytes) -> None:
        try:
            self._inbox.transport.write(head + body, self._path(node))
        except ConnectionRefusedError:
            os.unlink(self._path(node))  # of a server that was killed
        except FileNotFoundError:
            pass  # it has just gone

    def _path(self, node: str) -> str:
        return os.path.join(self._folder, node)


class Inbox(DatagramProtocol):
    """The socket of one server."""

    def __init__(self, broker: FolderBroker) -> None:
        self._broker = broker

    # Called by Twisted.
    def datagramReceived(self, datagram: bytes, sender: object) -> None:
        try:
            self._broker.receive(*split(datagram))
        except BadMessage as error:
            self._broker.drop(error, "?")
