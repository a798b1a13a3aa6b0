"""What was wrong with what a client has gone through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

#: What happened to a client, in order: ["number", source, number, offset], ["connect", id, recovered],
#: ["disconnect", reason], ["connect_error", message], ["end", tag].
Log = list[list[Any]]

#: Entries of the log that are shown before and behind a fault.
CONTEXT = 6


def faults(log: Log, emitted: Mapping[str, int], refused: Mapping[str, Collection[int]] | None = None) -> list[str]:
    """What is wrong: a number that is missing, or came twice, or too early; a connection that was not recovered.

    Args:
        emitted: how many events each source has emitted, numbered from 1 on.
        refused: the numbers of those that their sources were told to be lost; they must not come.
    """
    refused = refused or {}
    found = [*_strangers(log)]
    for source, count in emitted.items():
        wanted = [number for number in range(1, count + 1) if number not in refused.get(source, ())]
        found += _of_source(log, source, wanted)
    return found


def _strangers(log: Log) -> list[str]:
    connections = [entry for entry in log if entry[0] == "connect"]
    return [
        f"connection {number}: id {id}, recovered {recovered}, not the {connections[0][1]} of before"
        for number, (_, id, recovered) in enumerate(connections[1:], 2)
        if not recovered or id != connections[0][1]
    ]


def _of_source(log: Log, source: str, wanted: list[int]) -> list[str]:
    indexes = [index for index, entry in enumerate(log) if entry[:2] == ["number", source]]
    received = [log[index][2] for index in indexes]
    if received == wanted:
        return []
    twice = [number for number, times in Counter(received).items() if times > 1]
    summary = {
        "missing": spans(set(wanted) - set(received)),
        "twice": spans(twice),
        "not emitted": spans(set(received) - set(wanted)),
    }
    what = ", ".join(f"{name} {numbers}" for name, numbers in summary.items() if numbers) or "out of order"
    first = next((at for at, (one, other) in enumerate(zip(received, wanted, strict=False)) if one != other), -1)
    at = indexes[first] if received else 0
    around = "\n    ".join(map(str, log[max(0, at - CONTEXT) : at + CONTEXT]))
    return [f"of {source}: {what}; where it begins:\n    {around}"]


def spans(numbers: Collection[int]) -> str:
    """The numbers in short: "3-7, 9"."""
    ordered = sorted(numbers)
    starts = [number for number in ordered if number - 1 not in numbers]
    ends = [number for number in ordered if number + 1 not in numbers]
    return ", ".join(str(start) if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


def disagreement(logs: Mapping[str, Log]) -> str | None:
    """Where the orders in which clients have got the same events differ, or the offsets that they got with them."""
    views = {name: [entry[1:] for entry in log if entry[0] == "number"] for name, log in logs.items()}
    (first, reference), *others = views.items()
    for name, view in others:
        for one, other in zip(reference, view, strict=False):
            if one != other:
                return f"{first} got {one} where {name} got {other}"
    return None
