"""One server's connection to its broker, which the adapters of all its namespaces share."""

from __future__ import annotations

from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING, ClassVar, TypeVar

from twisted.internet.defer import DebugInfo, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txsocketio.cluster.options import ClusterOptions
from txsocketio.errors import BadMessage, BrokerUnavailable, WorldError

if TYPE_CHECKING:
    from txsocketio.cluster.adapter import ClusterAdapter
    from txsocketio.socketio.adapter import Adapter
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

T = TypeVar("T")

log = Logger()


class Broker:
    """A broker, as one server sees it. Each kind of broker extends this.

    Args:
        server: whose messages go over the broker.
        url: where it is.
        options: of its `options_class`.

    Attributes:
        node: the name of this node, 16 hexadecimal digits; every message carries that of its sender.
        is_available: False while the broker is away: questions fail at once then.
        outages: how often it has been away.
        away_since: the time at which it was lost, or this was made; None while it is there.
        dropped: how many messages of other nodes could not be understood.
        given_up: how many messages of this node the broker has not taken, or has lost.
    """

    options_class: ClassVar[type[ClusterOptions]] = ClusterOptions

    def __init__(self, server: Server, url: str, options: ClusterOptions) -> None:
        self.server = server
        self.url = url
        self.options = options
        self.node = token_hex(8)
        self.is_available = False
        self.outages = 0
        self.away_since: float | None = server.engine.clock.seconds()
        self.dropped = 0
        self.given_up = 0
        self._complained: int | None = None
        self.adapters: dict[str, ClusterAdapter] = {}
        self._numbers = count(1)

    def adapter(self, namespace: Namespace) -> Adapter:
        """A new adapter for the namespace."""
        raise NotImplementedError

    def start(self) -> Deferred[None]:
        """Fires when the broker can be used. It is tried again and again until then."""
        raise NotImplementedError

    def stop(self) -> Deferred[None]:
        """Fires when everything has been let go, soon also when the broker is away."""
        raise NotImplementedError

    def next_number(self) -> int:
        """The number of the next message for a log. A namespace that is closed, and opened again, goes on counting."""
        return next(self._numbers)

    def connected(self) -> None:
        """The broker is there, and everything on it that this node needs."""
        self.is_available = True
        self.away_since = None

    def lost(self) -> None:
        """The broker is away: nobody will answer."""
        if self.is_available:
            self.is_available = False
            self.away_since = self.server.engine.clock.seconds()
            self.outages += 1
            for adapter in self.adapters.values():
                adapter.requests.fail(BrokerUnavailable("the broker is away"))

    def drop(self, error: BadMessage, node: str) -> None:
        """A message cannot be understood: it is counted, and the first one logged."""
        self.dropped += 1
        if self.dropped == 1:
            log.warn("A message of node {node!r} is dropped: {error}; more are only counted", node=node, error=error)

    def told(self, telling: Deferred[T]) -> Deferred[T]:
        """What the application gets for something that it emits. It need not care, as many do not.

        Twisted would log each failure that nobody handles. Here they are counted, and the first of an outage is logged.
        """
        if telling._debugInfo is not None:
            telling._debugInfo.failResult = None
        telling._debugInfo = Unheard()
        return telling.addErrback(self._give_up)

    def _give_up(self, failure: Failure) -> Failure:
        self.given_up += 1
        if self._complained != self.outages:
            self._complained = self.outages
            log.warn("Something that was emitted is lost: {error}; more is only counted", error=failure.value)
        return failure


class Unheard(DebugInfo):
    """What a Deferred has in store for a failure that nobody handles: nothing, when it was the broker's."""

    def __del__(self) -> None:
        if self.failResult is not None and not self.failResult.check(WorldError):
            super().__del__()
