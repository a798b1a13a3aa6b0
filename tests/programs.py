"""Commands of ours, run in a process of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent
TWISTD = str(Path(sys.executable).with_name("twistd"))

#: Seconds after which a program is killed, so that a test ends.
LIMIT = 15.0


class Program:
    """A running command and what it has printed so far; it is ended with the `with` block.

    Args:
        environment: beside the present one; the project can be imported.
    """

    def __init__(self, *command: str, cwd: Path = ROOT, **environment: str) -> None:
        self.output = ""
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._stdout = self._process.stdout
        self._limit = threading.Timer(LIMIT, self._process.kill)

    def __enter__(self) -> Self:
        self._limit.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Not killed: nginx and HAProxy would leave their workers behind.
        self._process.terminate()
        self._process.wait()
        self._limit.cancel()
        self._stdout.close()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match in a line that is yet to be read."""
        for line in self._stdout:
            self.output += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"ended without {pattern!r}, having printed:\n{self.output}")

    def terminate(self) -> int:
        """Ask it to stop, and give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit code when it has ended by itself."""
        self.output += self._stdout.read()
        return self._process.wait()


def twistd(*arguments: str, cwd: Path, **environment: str) -> Program:
    """A `twistd` in the foreground."""
    return Program(TWISTD, "-n", "--pidfile=", *arguments, cwd=cwd, **environment)
