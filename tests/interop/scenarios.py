"""Scenarios: small programs that use a real client in a process of their own and print what they observed.

`javascript/NAME.js` and the coroutines of `python_client.py` are the scenarios. Each line they print is one fact, as in
`{"fact": "transport", "value": "polling"}`; the tests compare the facts with what must be.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

HERE = Path(__file__).parent

Facts = dict[str, Any]


class Scenario(ProcessProtocol):
    """A scenario that runs, and the facts that it has told so far."""

    transport: IProcessTransport

    def __init__(self) -> None:
        self.facts: Facts = {}
        self.is_running = True
        self._unread = b""
        self._errors = b""
        self._awaited: dict[str, Deferred[Any]] = {}
        self._ended: Deferred[None] = Deferred()

    def told(self, name: str) -> Deferred[Any]:
        """Fires with the value of a fact that the scenario is about to tell."""
        self._awaited[name] = awaited = Deferred()
        return awaited

    async def finish(self) -> Facts:
        """All facts, when the scenario went through without a surprise."""
        await self._ended
        assert self.facts.pop("done", False) and "unexpected" not in self.facts, self._story()
        return self.facts

    async def kill(self) -> None:
        if self.is_running:
            self.transport.signalProcess("KILL")
            await self._ended

    def _tell(self, name: str, value: Any) -> None:
        assert name not in self.facts, f"{name!r} was told twice"
        self.facts[name] = value
        if name in self._awaited:
            self._awaited.pop(name).callback(value)

    def _story(self) -> str:
        return f"facts: {self.facts}\nstderr: {self._errors.decode()}"

    # Called by Twisted.

    def outReceived(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            self._tell(told["fact"], told["value"])

    def errReceived(self, data: bytes) -> None:
        self._errors += data

    def processEnded(self, reason: Failure) -> None:
        self.is_running = False
        for awaited in self._awaited.values():
            awaited.errback(AssertionError(f"ended early\n{self._story()}"))
        if not reason.check(ProcessDone):
            self._tell("unexpected", reason.getErrorMessage())
        self._ended.callback(None)


def start(client: str, name: str, *args: str) -> Scenario:
    """Run a scenario with the client of a language, "javascript" or "python"."""
    if client == "javascript":
        command = ["node", str(HERE / "javascript" / f"{name}.js"), *args]
    else:
        command = [sys.executable, str(HERE / "python_client.py"), name, *args]
    scenario = Scenario()
    reactor.spawnProcess(scenario, command[0], command, env=None)
    return scenario
