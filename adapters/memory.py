"""A broker inside one process: `memory:`, or `memory:NAME` for several that know nothing of each other.

For tests, and to see how a broker is made: everything that a kind of broker has to bring is here, and nothing else.
Nodes share no objects: what goes from one to another is bytes, and arrives in a later turn of the reactor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import Deferred, fail, succeed

from txsocketio.cluster.adapter import ClusterAdapter
from txsocketio.cluster.options import ClusterOptions, MemberOptions
from txsocketio.cluster.peers import Entry, PeerAdapter, PeerLogAdapter, PeerLogBroker
from txsocketio.cluster.progress import Progress
from txsocketio.cluster.sessions import GRACE
from txsocketio.engineio.options import option
from txsocketio.errors import BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

#: How many entries are read again at a time.
PAGE = 100


@dataclass(kw_only=True)
class MemoryOptions(MemberOptions):
    """The options of `memory:`."""

    max_len: int = option(10_000, "How many of the latest entries the log keeps, when clients can be recovered.")


class Hub:
    """What a broker is to its nodes: the others, a log, and the sessions of clients.

    Attributes:
        nodes: the brokers that are started, by the names of their nodes.
        log: the latest entries.
        sessions: by private id, with the time at which they are forgotten.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, MemoryBroker] = {}
        self.log: deque[Entry] = deque()
        self.sessions: dict[str, tuple[bytes, float]] = {}
        self.next_position = count(1).__next__
        self.position = 0

    def append(self, head: bytes, body: bytes, max_len: int) -> None:
        """Put an entry into the log, and let all nodes read it."""
        self.position = self.next_position()
        self.log.append((self.position, head, body))
        while len(self.log) > max_len:
            self.log.popleft()
        for node in self.nodes.values():
            node.soon(partial(node.read, self.position, head, body))


#: One for each URL.
hubs: dict[str, Hub] = {}


class MemoryBroker(PeerLogBroker):
    """Carries messages to the other servers of this process that were given the same URL."""

    options_class: ClassVar[type[ClusterOptions]] = MemoryOptions
    options: MemoryOptions

    def __init__(self, server: Server, url: str, options: MemoryOptions) -> None:
        super().__init__(server, url, options)
        self.hub = hubs.setdefault(url, Hub())
        self.progress = Progress(server.engine.clock)
        self._waiting: deque[Callable[[], None]] = deque()
        self._next_turn: IDelayedCall | None = None

    def adapter(self, namespace: Namespace) -> ClusterAdapter:
        if namespace.options.recovery is None:
            return PeerAdapter(namespace, self)
        duration = namespace.options.recovery.max_disconnection_duration
        return PeerLogAdapter(namespace, self, MemorySessions(self, duration + GRACE))

    def start(self) -> Deferred[None]:
        self.hub.nodes[self.node] = self
        self.progress.move(self.hub.position)
        self.connected()
        self.members.start()
        return succeed(None)

    def stop(self) -> Deferred[None]:
        self.members.stop()
        self.lost()
        self.hub.nodes.pop(self.node, None)
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._waiting.clear()
        return succeed(None)

    def send(self, head: bytes, body: bytes) -> Deferred[None]:
        for node in self.hub.nodes.values():
            if node is not self:
                node.soon(partial(node.received, head, body))
        return succeed(None)

    def send_to(self, node: str, head: bytes, body: bytes) -> None:
        receiver = self.hub.nodes.get(node)
        if receiver is not None:
            receiver.soon(partial(receiver.received, head, body))

    def append(self, head: bytes, body: bytes) -> Deferred[None]:
        if not self.is_available:
            return fail(BrokerUnavailable("the server is not started"))
        self.hub.append(head, body, self.options.max_len)
        return succeed(None)

    def replay(self, after: int, until: int) -> Deferred[list[Entry]]:
        entries = (entry for entry in self.hub.log if after < entry[0] <= until)
        return succeed([*islice(entries, PAGE)])

    def holds(self, position: int) -> Deferred[bool]:
        first = self.hub.log[0][0] if self.hub.log else self.hub.position + 1
        return succeed(first - 1 <= position <= self.hub.position)

    def soon(self, act: Callable[[], None]) -> None:
        """Do it in the next turn of the reactor, behind what is to be done before."""
        self._waiting.append(act)
        if self._next_turn is None:
            self._next_turn = self.server.engine.clock.callLater(0, self._act)

    def _act(self) -> None:
        self._next_turn = None
        waiting, self._waiting = self._waiting, deque()
        for act in waiting:
            act()


class MemorySessions:
    """The sessions of clients."""

    def __init__(self, broker: MemoryBroker, seconds: float) -> None:
        self._sessions = broker.hub.sessions
        self._clock = broker.server.engine.clock
        self._seconds = seconds

    def get(self, pid: str) -> Deferred[bytes | None]:
        return succeed(self._get(pid))

    def swap(self, pid: str, old: bytes | None, new: bytes | None) -> Deferred[bytes | None]:
        stored = self._get(pid)
        if stored in (old, new):
            self._sessions.pop(pid, None)
            stored = new
            if new is not None:
                self._sessions[pid] = new, self._clock.seconds() + self._seconds
        return succeed(stored)

    def _get(self, pid: str) -> bytes | None:
        now = self._clock.seconds()
        for each in [each for each, (_, end) in self._sessions.items() if end < now]:
            del self._sessions[each]
        return self._sessions.get(pid, (None, 0.0))[0]
