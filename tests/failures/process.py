"""A program in a process of its own that does what it is told, a line of JSON at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any, Self

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.brokers.server import LEASH
from tests.conftest import ROOT

#: Seconds that a program has to start, and to do what it is told; far more than it takes.
DEADLINE = 30.0


class Process:
    """A program that answers each command {"id", "do", ...} with a line {"id", "value"} or {"id", "error"}.

    Its first line is {"id": 0, "value"}. What it writes to stderr counts as a complaint. It ends with its stdin. Its
    lines are read by a thread, so that one that outlives a test leaves nothing in the reactor.
    """

    def __init__(self, *command: str) -> None:
        self._ids = count(1)
        self._ready: Deferred[Any] = Deferred()
        self._waiting = {0: self._ready}
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [*LEASH, *command],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,  # Ctrl-C is for the tests, who then end it
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def complaints(self) -> str:
        """What it has written to stderr."""
        if not self._stderr.closed:
            self._stderr.seek(0)
            self._complaints = self._stderr.read().decode(errors="replace")
        return self._complaints

    @property
    def memory(self) -> int:
        """Bytes of real memory that it has."""
        pages = int(Path("/proc", str(self.pid), "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    async def started(self) -> Any:
        """What it says when it is ready."""
        return await self._ready.addTimeout(DEADLINE, reactor)

    def do(self, command: str, **arguments: object) -> Deferred[Any]:
        """Have it do something; fires with the value, fails with an AssertionError."""
        id = next(self._ids)
        self._waiting[id] = answer = Deferred[Any]()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": id, "do": command, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        return answer.addTimeout(DEADLINE, reactor)

    async def stop(self) -> Self:
        """Ask it to end, as an operator does, and wait until it has."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> Self:
        """End it at once; it says nothing any more to anybody."""
        return await self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Halt it: its connections stay open, and it does not notice."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    async def _end(self, number: signal.Signals) -> Self:
        self._process.send_signal(number)
        await deferToThread(self._process.wait, DEADLINE)
        await deferToThread(self._reader.join)
        assert self._process.stdin is not None
        self._process.stdin.close()
        _ = self.complaints
        self._stderr.close()
        return self

    # In the thread.

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                reactor.callFromThread(self._answered, json.loads(line))
        reactor.callFromThread(self._ended)

    def _answered(self, answer: dict[str, Any]) -> None:
        waiting = self._waiting.pop(answer["id"])
        if waiting.called:
            return  # too late
        if "error" in answer:
            waiting.errback(AssertionError(answer["error"]))
        else:
            waiting.callback(answer["value"])

    def _ended(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if not each.called:
                each.errback(AssertionError(f"the process has ended\n{self.complaints}"))
