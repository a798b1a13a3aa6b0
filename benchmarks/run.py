"""Compare txsocketio with Node's socket.io and with python-socketio.

    python benchmarks/run.py [--only echo,connect] [--servers txsocketio,node] [--repetitions 3] [--seconds 1.2]
    python benchmarks/run.py --profile echo

Each server runs the same small application with default settings, alone on one core; the load (load.c) is on another.
Figures are microseconds of the server's CPU time, all its threads together, for each message, delivery, connection or
polling round trip; memory is resident KiB for each idle connection. Every measurement has a fresh server; repetitions
are interleaved (A B C A B C ...); the table shows medians. Ratios carry over between machines, absolute figures do not.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path

import profiling
import report
from cases import CASES, Case
from contenders import CONTENDERS, TXSOCKETIO, Contender, MissingTool, build_load, versions
from measuring import Bench, Failed

WARM_UP = 1.0


def main() -> int:
    options = _options()
    server_core, load_core = options.cores
    contenders = [CONTENDERS[name] for name in options.servers]
    try:
        bench = Bench(build_load(), server_core, load_core, WARM_UP, options.seconds)
        if options.profile:
            print(profiling.profile(bench, CASES[options.profile], CONTENDERS[TXSOCKETIO].command))
            return 0
        for contender in contenders:
            contender.prepare()
    except (MissingTool, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    results, failures = _run(bench, [CASES[name] for name in options.only], contenders, options.repetitions)
    _show(results, options)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def _run(
    bench: Bench, cases: list[Case], contenders: list[Contender], repetitions: int
) -> tuple[report.Results, list[str]]:
    """The samples, and what went wrong with the others."""
    results, failures = report.Results(), []
    for case in cases:
        print(f"{case.title} ", end="", file=sys.stderr, flush=True)
        for contender in repetitions * [contender for contender in contenders if contender.takes_part(case.name)]:
            try:
                results.add(case.name, contender.name, bench.measure(case, contender.command))
            except Failed as error:
                failures.append(f"{case.title}: {contender.title} failed: {error}")
            print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    return results, failures


def _show(results: report.Results, options: argparse.Namespace) -> None:
    found = versions()
    print(", ".join(f"{name} {version}" for name, version in found.items()))
    print(f"Server CPU in µs per message (memory in KiB); medians of {options.repetitions}; lower is better.\n")
    print(report.markdown(results))
    for remark in report.remarks(results):
        print(remark, file=sys.stderr)
    if options.json:
        written = {"versions": found, "repetitions": options.repetitions, "seconds": options.seconds}
        options.json.write_text(json.dumps(written | {"cases": report.as_json(results)}, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_names(CASES), default=list(CASES), metavar="CASES", help=", ".join(CASES))
    parser.add_argument(
        "--servers", type=_names(CONTENDERS), default=list(CONTENDERS), metavar="SERVERS", help=", ".join(CONTENDERS)
    )
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="of every measurement (3)")
    parser.add_argument("--seconds", type=float, default=1.2, help="that one measurement takes (1.2, at most 10)")
    parser.add_argument(
        "--cores", type=_cores, default=_outer_cores(), metavar="SERVER,LOAD", help="default: the outer two"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--profile", choices=CASES, help="show where txsocketio spends its time in one case")
    options = parser.parse_args()
    if not 0 < options.seconds <= 10:
        parser.error("--seconds must be above 0 and at most 10: the load answers no heartbeat")
    return options


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def _cores(text: str) -> tuple[int, int]:
    server, load = map(int, text.split(","))
    return server, load


def _outer_cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


if __name__ == "__main__":
    sys.exit(main())
