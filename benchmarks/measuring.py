"""One measurement: a server on one core, the load on another."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cases import Case

ROOT = Path(__file__).parent.parent


class Failed(Exception):
    """A measurement that did not come off; the text says what the load and the server wrote."""


@dataclass(frozen=True)
class Sample:
    """What one measurement found: the figure in the unit of its case, and the share of its core the server used."""

    figure: float
    server_busy: float


@dataclass(frozen=True)
class Bench:
    """Where and how long measurements run."""

    load_program: Path
    server_core: int
    load_core: int
    warm_up: float
    seconds: float

    def measure(self, case: Case, command: Sequence[str]) -> Sample:
        """The sample that `case` gives against the server started by `command`.

        Raises:
            Failed: The server did not start, gave a wrong reply or stopped answering.
        """
        with server(command, self.server_core) as started:
            load = subprocess.run(
                [
                    *on_core(self.load_core),
                    *(self.load_program, case.load, str(started.port), str(started.pid)),
                    *(str(case.connections), str(case.outstanding), str(self.warm_up), str(self.seconds)),
                ],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            if load.returncode:
                raise Failed(f"{load.stderr.strip()}\n{started.complaints()}".rstrip())
        found = json.loads(load.stdout)
        return Sample(found["figure"], found["server_busy"])


@dataclass(frozen=True)
class Started:
    """A server that is running, or has ended: then `report` is what it has printed besides its port."""

    port: int
    pid: int
    errors: Path
    report: list[str] = field(default_factory=list)

    def complaints(self) -> str:
        """The last of what it wrote to its standard error."""
        return _text_of(self.errors)


@contextmanager
def server(command: Sequence[str], core: int) -> Iterator[Started]:
    """A server that ends with the `with` block: when its standard input does.

    Raises:
        Failed: it did not start.
    """
    with tempfile.NamedTemporaryFile() as errors:
        process = subprocess.Popen(
            [*on_core(core), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        with process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                if not line.strip().isdigit():
                    raise Failed(f"{' '.join(command)} did not start:\n{_text_of(Path(errors.name))}")
                started = Started(int(line), process.pid, Path(errors.name))
                yield started
            finally:
                _end(process)
            if process.stdout:
                started.report.extend(process.stdout.read().split())


def on_core(core: int) -> tuple[str, ...]:
    """What makes a command run on one core."""
    return "taskset", "--cpu-list", str(core)


def _text_of(errors: Path) -> str:
    return errors.read_text(errors="replace")[-2000:]


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
