"""Measure two servers that are joined by a broker, next to two of Node's where these know the broker.

    python benchmarks/cluster.py [--only redis,kafka] [--repetitions 3] [--seconds 3]

A client of the one server emits events at a steady rate, and all clients of the other server get them. Latencies are
from the client's write to each delivery, in milliseconds; CPU time is microseconds of a server for each event. Both
servers are on one core; broker and load are on another. The brokers are those of the tests, with nothing else to do.

    fan-out     1000 clients, 20 events a second
    slow, fast  1 client, 100 and 2000 events a second
    stall       how long an event loop was held up at worst meanwhile (fast), other than by waiting for its core
    most        the highest rate of which all arrives, within half a second (99 of 100)
    elsewhere   2000 events a second for a room in which the other server has nobody: its CPU time for each
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from contenders import SERVERS, build_load, install_node
from measuring import Failed, on_core, server
from twisted.internet import task
from twisted.internet.defer import Deferred

from tests.brokers.kafka import KafkaServer
from tests.brokers.rabbitmq import RabbitMQServer
from tests.brokers.redis import RedisServer

#: Rates that are tried one after the other, in events a second.
RATES = (2000, 4000, 6000, 8000, 12_000, 16_000, 24_000)

#: Of what is sent, so much has to arrive before the measurement ends, and so fast.
ARRIVING = 0.98
FAST_ENOUGH = 500.0


@dataclass(frozen=True)
class Kind:
    """A way to join two servers."""

    name: str
    broker: str
    url: Callable[[str], str]
    recovery: bool = False
    has_node: bool = False


KINDS = (
    Kind("redis", "redis", lambda url: url, has_node=True),
    Kind("redis+sharded", "redis", lambda url: url.replace("://", "+sharded://"), has_node=True),
    Kind("redis+streams", "redis", lambda url: url.replace("://", "+streams://"), has_node=True),
    Kind("redis+streams, recovery", "redis", lambda url: url.replace("://", "+streams://"), True, True),
    Kind("kafka", "kafka", lambda url: f"{url}/b{token_hex(4)}"),
    Kind("kafka, recovery", "kafka", lambda url: f"{url}/b{token_hex(4)}", True),
    Kind("amqp", "rabbitmq", lambda url: url),
    Kind("amqp, recovery", "rabbitmq", lambda url: url, True),
)

BROKERS = {"redis": RedisServer, "kafka": KafkaServer, "rabbitmq": RabbitMQServer}

Sample = dict[str, float]


@dataclass(frozen=True)
class Pair:
    """Two servers of one cluster, and how they are loaded."""

    load_program: Path
    command: list[str]
    cores: tuple[int, int]
    seconds: float

    def measure(self, clients: int, rate: float, event: str = "publish") -> Sample:
        """Events at this rate, to so many clients.

        Raises:
            Failed: a server did not start, or something else than an event came.
        """
        with server(self.command, self.cores[0]) as sender, server(self.command, self.cores[0]) as receiver:
            arguments = [receiver.port, receiver.pid, clients, 1, 1.0, self.seconds, sender.port, sender.pid, rate]
            load = subprocess.run(
                [*on_core(self.cores[1]), str(self.load_program), "cross", *map(str, arguments), event],
                capture_output=True,
                text=True,
                check=False,
            )
            if load.returncode:
                raise Failed(f"{load.stderr.strip()}\n{receiver.complaints()}{sender.complaints()}".rstrip())
        sample: Sample = json.loads(load.stdout)
        sample["stall_ms"] = max(float(word) for started in (sender, receiver) for word in (*started.report, 0))
        return sample

    def highest_rate(self) -> float:
        """The highest of `RATES` of which all arrives; 0 if that is none."""
        highest = 0.0
        for rate in RATES:
            sample = self.measure(1, rate)
            if sample["sent"] < ARRIVING * rate * self.seconds or sample["delivered"] < ARRIVING * sample["sent"]:
                break
            if sample["p99_ms"] > FAST_ENOUGH:
                break
            highest = rate
        return highest


def measure(pair: Pair) -> dict[str, float]:
    """All figures of one pair."""
    watched = replace(pair, command=[*pair.command, "watch"])  # looking that often takes time itself
    fan_out, slow, fast = pair.measure(1000, 20), pair.measure(1, 100), pair.measure(1, 2000)
    elsewhere = pair.measure(1, 2000, "whisper")
    return {
        "fan-out p50": fan_out["p50_ms"],
        "p99": fan_out["p99_ms"],
        "sender": fan_out["sender_us"],
        "receiver": fan_out["receiver_us"],
        "slow p50": slow["p50_ms"],
        "slow p99": slow["p99_ms"],
        "fast p50": fast["p50_ms"],
        "fast p99": fast["p99_ms"],
        "fast sender": fast["sender_us"],
        "fast receiver": fast["receiver_us"],
        "stall": watched.measure(1, 2000)["stall_ms"],
        "most": pair.highest_rate(),
        "elsewhere": elsewhere["receiver_us"],
    }


def medians(samples: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure the one in the middle."""
    return {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}


def table(results: dict[str, dict[str, float]]) -> Iterator[str]:
    """The figures as a table in Markdown."""
    names = list(next(iter(results.values())))
    yield "| | " + " | ".join(names) + " |"
    yield "|---|" + "---:|" * len(names)
    for who, figures in results.items():
        cells = (f"{figures[name]:,.0f}" if figures[name] >= 100 else f"{figures[name]:.1f}" for name in names)
        yield f"| {who} | " + " | ".join(cells) + " |"


async def main() -> None:
    options = _options()
    kinds = [kind for kind in KINDS if not options.only or kind.name in options.only]
    load = build_load()
    install_node()
    started: dict[str, Any] = {}
    results: dict[str, list[dict[str, float]]] = {}
    try:
        for kind in kinds:
            if kind.broker not in started:
                started[kind.broker] = BROKERS[kind.broker]()
                await started[kind.broker].start()
                for pid in started[kind.broker].pids:
                    os.sched_setaffinity(pid, {options.cores[1]})
        for _ in range(options.repetitions):
            for kind in kinds:
                for who, program in _programs(kind):
                    url = kind.url(started[kind.broker].url)
                    command = [*program, url, *(["recovery"] if kind.recovery else [])]
                    print(f"{who} ", end="", file=sys.stderr, flush=True)
                    try:
                        sample = measure(Pair(load, command, options.cores, options.seconds))
                        results.setdefault(who, []).append(sample)
                    except Failed as error:
                        print(f"{who} failed: {error}", file=sys.stderr)
    finally:
        for broker in started.values():
            await broker.remove()
    print(file=sys.stderr)
    print(f"Latencies in ms, CPU in µs per event; medians of {options.repetitions}.\n")
    print("\n".join(table({who: medians(samples) for who, samples in results.items()})))


def _programs(kind: Kind) -> Iterator[tuple[str, list[str]]]:
    yield f"txsocketio, {kind.name}", [sys.executable, str(SERVERS / "cluster_application.py")]
    if kind.has_node:
        yield f"Node, {kind.name}", ["node", str(SERVERS / "cluster_node.js")]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [kind.name for kind in KINDS]
    parser.add_argument("--only", type=lambda text: text.split(";"), default=[], metavar="KINDS", help="; ".join(names))
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="of every measurement (3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="that one measurement takes (3)")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    options.cores = cores[0], cores[-1]
    return options


if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(main()))
