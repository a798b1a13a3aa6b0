"""Where a server spends its CPU time: its Python stack, looked at after every few milliseconds of CPU time.

The runner starts the server as `python profiling.py FILE SERVER.py`; samples are of the main thread, taken when the
interpreter is between two instructions, so what a C function takes counts for the line that called it.
"""

import runpy
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cases import Case
    from measuring import Bench

INTERVAL = 0.001
MAIN_LOOP = "mainLoop"
SHOWN = 25


def profile(bench: "Bench", case: "Case", command: Sequence[str]) -> str:
    """The lines and functions in which the server is in most samples of `case`."""
    with tempfile.NamedTemporaryFile("r") as output:
        python, *script = command
        sample = bench.measure(case, (python, __file__, output.name, *script))
        return f"{case.title}: {sample.figure:.1f} {case.unit} under the profiler\n\n{output.read()}"


class Profile:
    """Counts the samples below the reactor's loop: in a line, in a function itself, in it or what it calls."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.total: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()

    def take(self, _signal: int, frame: FrameType | None) -> None:
        stack = []
        line = frame.f_lineno if frame else 0
        while frame is not None and frame.f_code.co_name != MAIN_LOOP:
            stack.append(_name(frame))
            frame = frame.f_back
        if frame is None:
            return
        where = stack or [_name(frame)]
        self.own[where[0]] += 1
        self.lines[f"{where[0]}:{line}"] += 1
        self.total.update(set(where))

    def text(self) -> str:
        samples = sum(self.own.values()) or 1
        parts = [f"{samples} samples"]
        for title, counts in ("in the line", self.lines), ("in the function", self.own), ("below it too", self.total):
            parts.append(f"\n{title}")
            parts += [f"{count / samples:6.1%}  {name}" for name, count in counts.most_common(SHOWN)]
        return "\n".join(parts) + "\n"


def _name(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name} {frame.f_code.co_qualname}"


def main(output: str, script: str) -> None:
    taken = Profile()
    signal.signal(signal.SIGPROF, taken.take)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    sys.path[0] = str(Path(script).parent)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        Path(output).write_text(taken.text())


if __name__ == "__main__":
    main(*sys.argv[1:])
