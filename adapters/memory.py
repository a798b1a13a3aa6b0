"""A broker inside one process: `memory:`, or `memory:NAME` for several that know nothing of each other.

For tests, and to see how a broker is made: everything that a kind of broker has to bring is here, and nothing else.
Nodes share no objects: what goes from one to another is bytes, and arrives in a later turn of the reactor.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from txsocketio.cluster.options import MemberOptions
from txsocketio.cluster.peers import PeerBroker

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from txsocketio.socketio.server import Server

#: The brokers that are started, by URL and name of the node.
_started: dict[str, dict[str, MemoryBroker]] = {}


class MemoryBroker(PeerBroker):
    """Carries messages to the other servers of this process that were given the same URL."""

    def __init__(self, server: Server, url: str, options: MemberOptions) -> None:
        super().__init__(server, url, options)
        self._inbox: deque[tuple[bytes, bytes]] = deque()
        self._next_turn: IDelayedCall | None = None

    def start(self) -> Deferred[None]:
        _started.setdefault(self.url, {})[self.node] = self
        self.connected()
        self.members.start()
        return succeed(None)

    def stop(self) -> Deferred[None]:
        self.members.stop()
        self.lost()
        nodes = _started.get(self.url, {})
        nodes.pop(self.node, None)
        if not nodes:
            _started.pop(self.url, None)
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._inbox.clear()
        return succeed(None)

    def send(self, head: bytes, body: bytes) -> Deferred[None]:
        for node in _started.get(self.url, {}).values():
            if node is not self:
                node.deliver(head, body)
        return succeed(None)

    def send_to(self, node: str, head: bytes, body: bytes) -> None:
        receiver = _started.get(self.url, {}).get(node)
        if receiver is not None:
            receiver.deliver(head, body)

    def deliver(self, head: bytes, body: bytes) -> None:
        """Another node sends something; it is looked at in the next turn of the reactor."""
        self._inbox.append((head, body))
        if self._next_turn is None:
            self._next_turn = self.server.engine.clock.callLater(0, self._receive_all)

    def _receive_all(self) -> None:
        self._next_turn = None
        inbox, self._inbox = self._inbox, deque()
        for head, body in inbox:
            self.received(head, body)
