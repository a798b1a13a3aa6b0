"""A server of a cluster in a process of its own, at the command of a test: `python node_program.py SETTINGS` (JSON).

See `Process` for what it reads and writes. Complaints are what it logs as an error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import LogEvent, LogLevel, eventAsText, globalLogBeginner
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from txsocketio import Server, Socket, TxSocketIOError

#: What every client is in.
ROOM = "room"


def complain(event: LogEvent) -> None:
    if event["log_level"] >= LogLevel.error:
        print(eventAsText(event), file=sys.stderr)


class Traffic:
    """Numbered events for all clients, now this way and now that.

    Attributes:
        emitted: how many there were.
        refused: the numbers of those that were not accepted.
        accepted: how many the broker has.
    """

    def __init__(self, io: Server, source: str) -> None:
        self.emitted = self.accepted = 0
        self.refused: list[int] = []
        self._io = io
        self._source = source
        self._loop = LoopingCall(self._emit)
        self._open: set[Deferred[None]] = set()

    def start(self, interval: float) -> None:
        self._loop.start(interval)

    async def stop(self) -> None:
        """Wait until it is known of all what has become of them."""
        if self._loop.running:
            self._loop.stop()
        while self._open:
            await DeferredList([*self._open])

    def flood(self, number: int) -> None:
        for _ in range(number):
            self._emit()

    def _emit(self) -> None:
        self.emitted = number = self.emitted + 1
        target = self._io.to(ROOM) if number % 3 == 0 else self._io
        accepting = target.emit("number", self._source, number)
        self._open.add(accepting)
        accepting.addCallbacks(self._accepted, self._failed, errbackArgs=(number,))
        accepting.addBoth(lambda _: self._open.discard(accepting))

    def _accepted(self, _: object) -> None:
        self.accepted += 1

    def _failed(self, failure: Failure, number: int) -> None:
        failure.trap(TxSocketIOError)
        self.refused.append(number)


class Node:
    """The server, and the commands."""

    def __init__(self, name: str, adapter: Any, options: dict[str, Any]) -> None:
        self.io = Server(adapter=adapter, **options)
        self.io.on("connection", self._connected)
        self.io.on("session_expired", lambda session: self._expired.append(session.id))
        self.io.on("ask", lambda: name)
        self._expired: list[str] = []
        self._traffic = Traffic(self.io, name)
        self._listening = reactor.listenTCP(0, self.io.site(), interface="127.0.0.1")
        reactor.addSystemEventTrigger("before", "shutdown", self._stop)

    async def start(self) -> dict[str, object]:
        await self.io.start()
        return {"port": self._listening.getHost().port}

    async def _stop_now(self) -> None:
        await self._listening.stopListening()
        await self.io.close()

    def _stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop_now())

    def _connected(self, socket: Socket) -> None:
        if not socket.recovered:
            socket.join(ROOM)

    # Commands

    def traffic(self, source: str, interval: float) -> None:
        """Begin to emit events with the numbers from 1 on."""
        self._traffic = Traffic(self.io, source)
        self._traffic.start(interval)

    def flood(self, source: str, number: int) -> None:
        """Emit so many events at once."""
        self._traffic = Traffic(self.io, source)
        self._traffic.flood(number)

    def so_far(self) -> dict[str, object]:
        traffic = self._traffic
        return {"emitted": traffic.emitted, "accepted": traffic.accepted, "refused": traffic.refused}

    async def end_traffic(self) -> dict[str, object]:
        await self._traffic.stop()
        return self.so_far()

    async def end(self, tag: str) -> None:
        """Tell all clients that nothing comes any more."""
        await self.io.emit("end", tag)

    async def count(self) -> int:
        return await self.io.root.adapter.server_count()

    async def settled(self) -> None:
        """Wait until the sessions of all clients are stored as they are."""
        await deferLater(reactor, 0)
        if self.io.broker is not None:
            await self.io.root.adapter.recovery.keeper.stored()

    def sockets(self) -> list[str]:
        """The ids of the clients that are here, as far as this node knows."""
        return [*self.io.root.sockets]

    def expired(self) -> list[str]:
        """The ids of the clients that have not come back in time."""
        return self._expired

    def is_available(self) -> bool:
        return self.io.broker is None or self.io.broker.is_available

    async def ask(self, how: str) -> dict[str, object]:
        """Ask the cluster something: what came, or the kind of the error, and how many seconds it took."""
        begun = reactor.seconds()
        questions: dict[str, Callable[[], Awaitable[Any]]] = {
            "fetch_sockets": self._fetch,
            "server_side_call": lambda: self.io.server_side_call("ask"),
            "call": lambda: self.io.timeout(3).call("ask"),
        }
        try:
            answer: dict[str, object] = {"value": await questions[how]()}
        except TxSocketIOError as error:
            answer = {"error": type(error).__name__}
        return {**answer, "seconds": reactor.seconds() - begun}

    async def _fetch(self) -> list[str]:
        return [socket.id for socket in await self.io.fetch_sockets()]


class Commands(LineOnlyReceiver):
    """Reads commands from stdin, and ends the program when there are no more."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20

    def __init__(self, node: Node) -> None:
        self._node = node

    def answer(self, id: int, doing: Awaitable[Any]) -> None:
        done = Deferred.fromCoroutine(doing) if not isinstance(doing, Deferred) else doing
        done.addCallbacks(lambda value: {"id": id, "value": value}, lambda failure: {"id": id, "error": str(failure)})
        done.addCallback(lambda answer: self.sendLine(json.dumps(answer).encode()))

    # Called by Twisted.

    def connectionMade(self) -> None:
        self.answer(0, self._node.start())

    def lineReceived(self, line: bytes) -> None:
        command = json.loads(line)
        id, do = command.pop("id"), command.pop("do")
        self.answer(id, maybeDeferred(getattr(self._node, do), **command))

    def connectionLost(self, reason: Failure) -> None:
        if reactor.running:
            reactor.stop()


def main() -> None:
    globalLogBeginner.beginLoggingTo([complain], redirectStandardIO=False)
    StandardIO(Commands(Node(**json.loads(sys.argv[1]))))
    reactor.run()


if __name__ == "__main__":
    main()
