"""What the servers of a cluster send to Redis, byte by byte and in order."""

from __future__ import annotations

import ast
import re
from typing import Self

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.protocols.basic import LineReceiver

from tests.wire import Address

#: The commands that carry what the servers say to one another, or keep.
SAYING = {b"PUBLISH", b"SPUBLISH", b"XADD", b"SET"}

#: An argument as MONITOR shows it.
ARGUMENT = re.compile(rb'"(?:[^"\\]|\\.)*"')

Command = list[bytes]


class Monitor(LineReceiver):
    """A connection on which Redis shows every command that any client sends."""

    MAX_LENGTH = 1 << 20

    def __init__(self) -> None:
        self._commands: DeferredQueue[Command] = DeferredQueue()
        self._started: Deferred[None] = Deferred()

    @classmethod
    async def start(cls, address: Address) -> Self:
        monitor = await connectProtocol(TCP4ClientEndpoint(reactor, *address), cls())
        monitor.sendLine(b"MONITOR")
        await monitor._started
        return monitor

    def stop(self) -> None:
        self.transport.loseConnection()

    async def until(self, end: Command) -> list[Command]:
        """The commands before this one that say something."""
        before = []
        while (command := await self.next()) != end:
            before.append(command)
        return before

    def next(self) -> Deferred[Command]:
        """The next command that says something."""
        return self._commands.get()

    # Called by Twisted.

    def lineReceived(self, line: bytes) -> None:
        if line == b"+OK":
            self._started.callback(None)
            return
        # The escapes of MONITOR are those of Python.
        command = [ast.literal_eval("b" + argument.decode()) for argument in ARGUMENT.findall(line)]
        if command[0].upper() in SAYING:
            self._commands.put(command)
