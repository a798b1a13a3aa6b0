"""Emitting over brokers that only our own servers share; see `cluster/peers.py`.

        Emitter ---> PeerOutlet ------------------> Writer ---> the broker       blocks
        Emitter ---> ThreadedOutlet ---> thread ---> Writer ---> the broker       gives Deferreds

The clients of the servers do much that an emitter has no use for. So there is one writer for each broker, which blocks;
a Twisted program has it in a thread, one message after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from txsocketio.cluster import wire
from txsocketio.cluster.messages import BROADCAST, DISCONNECT_SOCKETS, SOCKETS_JOIN, SOCKETS_LEAVE, Message
from txsocketio.errors import BrokerUnavailable, UnserializableData

if TYPE_CHECKING:
    from txsocketio.cluster.emitter import Outlet

#: What goes into the log, where there is one.
LOGGED = frozenset((BROADCAST, SOCKETS_JOIN, SOCKETS_LEAVE, DISCONNECT_SOCKETS))


class Writer(Protocol):
    """Gives one broker messages; can be used by several threads.

    Attributes:
        max_size: of a message, in bytes.
    """

    max_size: int

    def write(self, head: bytes, body: bytes, is_logged: bool) -> None:
        """Return when the broker has it.

        Raises:
            BrokerUnavailable: it does not within the time that the options give it.
            BrokerError: it refuses.
        """

    def close(self) -> None:
        """Let the connection go."""


class PeerOutlet:
    """Returns when the broker has it.

    Args:
        recovers: whether the servers keep events in a log, for clients that come back.
    """

    def __init__(self, writer: Writer, recovers: bool) -> None:
        self._writer = writer
        self._recovers = recovers

    def send(self, namespace: str, message: Message) -> None:
        self._writer.write(*self.encode(namespace, message))

    def encode(self, namespace: str, message: Message) -> tuple[bytes, bytes, bool]:
        """What is given to the writer.

        Raises:
            UnserializableData: it has no form on the wire, or is too large for the broker.
        """
        head, body = wire.encode(message, namespace)
        size = len(head) + len(body)
        if size > self._writer.max_size:
            raise UnserializableData(f"a message of {size} bytes is more than the broker takes")
        return head, body, self._recovers and message.type in LOGGED

    def close(self) -> None:
        self._writer.close()


class ThreadedOutlet:
    """Fires when the broker has it; messages leave in their order.

    Args:
        max_waiting: how many may wait for the one that is under way.
    """

    def __init__(self, outlet: PeerOutlet, writer: Writer, max_waiting: int, reactor: Any) -> None:
        self._outlet = outlet
        self._writer = writer
        self._max_waiting = max_waiting
        self._waiting = 0
        self._reactor = reactor
        self._thread = ThreadPool(0, 1, "emitter")
        self._thread.start()

    def send(self, namespace: str, message: Message) -> Deferred[None]:
        written = self._outlet.encode(namespace, message)
        if self._waiting >= self._max_waiting or not self._thread.started:
            why = f"{self._waiting} messages wait already (max_outbox)" if self._waiting else "the emitter is closed"
            return fail(BrokerUnavailable(why))
        self._waiting += 1
        return self._run(lambda: self._writer.write(*written)).addBoth(self._done)

    def close(self) -> Deferred[None]:
        return self._run(self._writer.close).addBoth(self._stop)

    def _run(self, act: Callable[[], None]) -> Deferred[None]:
        running: Deferred[None] = deferToThreadPool(self._reactor, self._thread, act)
        return running

    def _done(self, result: Any) -> Any:
        self._waiting -= 1
        return result

    def _stop(self, result: Any) -> Any:
        self._thread.stop()
        return result


def outlet(writer: Writer, recovers: bool, blocking: bool, max_waiting: int) -> Outlet[Any]:
    """What an emitter sends through."""
    blocks = PeerOutlet(writer, recovers)
    if blocking:
        return blocks
    from twisted.internet import reactor

    return ThreadedOutlet(blocks, writer, max_waiting, reactor)
