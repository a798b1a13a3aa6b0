"""Socket.IO servers of Node.js in a process of their own, each of which does what a test says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests.conftest import require
from tests.mixed.javascript import Speaking, arguments, javascript

PROGRAM = Path(__file__).with_name("node_server.js")

#: The options of each adapter that name what it uses in Redis.
PREFIXES = {"classic": ["key"], "sharded": ["channelPrefix"], "streams": ["channelPrefix", "streamName"]}

#: The longest that a server takes to start or to obey, in seconds.
DEADLINE = 20.0

#: The answers of clients, and whether all have come.
Outcome = tuple[list[Any], bool]

#: Of a socket: its id, its rooms (sorted), its data, its handshake.
Description = dict[str, Any]

_names = count(1)


class NodeServer(ProcessProtocol, Speaking):
    """A server of `npm socket.io` with an npm adapter; its clients join the rooms that their query names.

    Attributes:
        port: where it listens on the loopback.
        uids: the name of its adapter of each namespace.
        heard: what other servers told it with the event "told", each a list of arguments.
    """

    transport: IProcessTransport
    speaker = "io"

    def __init__(self) -> None:
        self.port = 0
        self.uids: dict[str, str] = {}
        self.heard: DeferredQueue[list[Any]] = DeferredQueue()
        self._answers: dict[int, Deferred[Any]] = {}
        self._ids = count(1)
        self._started: Deferred[Any] = Deferred()
        self._ended: Deferred[None] = Deferred()
        self._unread = b""
        self._errors = b""

    @classmethod
    async def start(
        cls,
        kind: str,
        redis: str,
        *,
        prefix: str = "socket.io",
        namespaces: Iterable[str] = ("/",),
        adapter: dict[str, object] | None = None,
        **options: object,
    ) -> NodeServer:
        """A server that takes part in the cluster.

        Args:
            kind: "classic", "sharded" or "streams".
            redis: the URL of the Redis server.
            prefix: what its channels, and its stream, are named after.
            adapter: further options of the npm adapter.
            options: of the npm server, with the names that they have there.
        """
        settings = {
            "kind": kind,
            "redis": redis,
            "name": f"node-{next(_names)}",
            "namespaces": list(namespaces),
            "adapter": dict.fromkeys(PREFIXES[kind], prefix) | (adapter or {}),
            "server": options,
        }
        require("tests/mixed/node_modules")
        node = cls()
        command = [require("node"), str(PROGRAM), json.dumps(settings)]
        reactor.spawnProcess(node, command[0], command, env=None)
        node._started.addTimeout(DEADLINE, reactor)
        ready = await node._started
        node.port, node.uids = ready["port"], ready["uids"]
        return node

    async def stop(self) -> None:
        self.transport.closeStdin()
        await self._ended

    async def kill(self) -> None:
        """SIGKILL: it says nothing any more to anybody."""
        self.transport.signalProcess("KILL")
        await self._ended

    def run(self, code: str) -> Deferred[Any]:
        """Run JavaScript there; `io`, `redis`, `emitter` and what else node_server.js names can be used.

        Fires with what the code returns; bytes are bytes.
        """
        id = next(self._ids)
        self._answers[id] = answer = Deferred()
        self.transport.write(json.dumps({"id": id, "code": code}).encode() + b"\n")
        return answer.addTimeout(DEADLINE, reactor)

    def evaluate(self, expression: str) -> Deferred[Any]:
        """The value of an expression there, or of the promise that it is."""
        return self.run(f"return {expression}")

    def lost(self, *ids: str) -> Deferred[None]:
        """Fires when these sockets are gone."""
        left = f"{javascript(ids)}.some((id) => io.sockets.sockets.has(id))"
        return self.run(f"while ({left}) await new Promise((resolve) => setTimeout(resolve, 1))")

    # What a server does beside speaking; ours.py has the same for our server.

    def call(self, *event: object, timeout: float = 5, **targets: Any) -> Deferred[Outcome]:
        """What clients answer to an event, until the time is over."""
        asking = f"{self.aimed(**targets)}.timeout({timeout * 1000}).emitWithAck({arguments(event)})"
        return self.evaluate(f"outcome({asking})").addCallback(lambda told: (told["answers"], told["error"] is None))

    def call_found(self, id: str, *event: object) -> Deferred[Any]:
        """What one client answers, whose socket is fetched first."""
        return self.evaluate(f"(await io.in('{id}').fetchSockets())[0].timeout(5000).emitWithAck({arguments(event)})")

    def fetch(self, **targets: Any) -> Deferred[list[Description]]:
        """The sockets of all servers."""
        return self.evaluate(f"(await {self.aimed(**targets)}.fetchSockets()).map(described)")

    def ask(self, *event: object) -> Deferred[list[Any]]:
        """What the other servers answer to an event."""
        return self.evaluate(f"await io.serverSideEmitWithAck({arguments(event)})")

    def count(self) -> Deferred[int]:
        """How many servers there are."""
        return self.evaluate("await io.of('/').adapter.serverCount()")

    def _learn(self, fact: dict[str, Any]) -> None:
        if "ready" in fact:
            self._started.callback(fact["ready"])
        elif "heard" in fact:
            self.heard.put(with_bytes(fact["heard"]))
        elif "error" in fact:
            self._answers.pop(fact["id"]).errback(AssertionError(fact["error"]))
        else:
            self._answers.pop(fact["id"]).callback(with_bytes(fact["value"]))

    # Called by Twisted.

    def outReceived(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._learn(json.loads(line))

    def errReceived(self, data: bytes) -> None:
        self._errors += data

    def processEnded(self, reason: Failure) -> None:
        for waiting in [self._started, *self._answers.values()]:
            if not waiting.called:
                waiting.errback(AssertionError(f"the server ended\n{self._errors.decode()}"))
        self._ended.callback(None)


class NodeEmitter(Speaking):
    """The emitter, in the process of a server, that belongs to its adapter: it is no member of the cluster."""

    speaker = "emitter"

    def __init__(self, node: NodeServer) -> None:
        self.run = node.run


def with_bytes(value: Any) -> Any:
    """The value with bytes where JSON had {"hex": "…"}."""
    if isinstance(value, list):
        return [with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"hex"}:
        return bytes.fromhex(value["hex"])
    return {key: with_bytes(item) for key, item in value.items()}
