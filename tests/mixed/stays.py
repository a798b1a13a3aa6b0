"""What clients that wander between servers of two kinds got from each, and what was wrong with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.failures.judge import Log

#: An event: its source, its number, its offset.
Event = tuple[str, int, str]


@dataclass
class Stay:
    """One connection of a client, from the end of the one before to its own.

    Attributes:
        place: the kind of server: "node" or "ours".
        recovered: whether the client went on as the socket that it was.
        events: what it got. A server of Node.js sends first what was missed, and connects the client then.
        shown: the last event that it had before, of which it shows the offset.
    """

    place: str = ""
    recovered: bool = False
    events: list[Event] = field(default_factory=list)
    shown: Event | None = None


def stays(log: Log, places: Sequence[tuple[int, str]]) -> list[Stay]:
    """The stays of a client.

    Args:
        places: where it was sent, and how often it had been connected before.
    """
    found = [Stay()]
    connections = 0
    for what, *rest in log:
        if what == "disconnect":
            latest = found[-1]
            found.append(Stay(shown=latest.events[-1] if latest.events else latest.shown))
        elif what == "number":
            found[-1].events.append(tuple(rest))
        elif what == "connect":
            found[-1].place = [place for times, place in places if times <= connections][-1]
            found[-1].recovered = rest[1]
            connections += 1
    return found


def faults(its_stays: list[Stay], order: Sequence[Event]) -> Iterator[str]:
    """What servers of ours have promised, and not kept.

    Who comes back gets exactly what is behind the offset that it shows. Who is new gets everything in order, and may
    miss what was emitted before it came. Who was with one of ours before is not new.
    """
    at = {event: index for index, event in enumerate(order)}
    for before, stay in pairwise([Stay(), *its_stays]):
        if stay.place != "ours":
            continue
        indexes = [at.get(event, -1) for event in stay.events]
        if before.place == "ours" and not stay.recovered:
            yield f"not recovered, behind {before.events[-1:]}"
        if -1 in indexes:
            yield f"{stay.events[indexes.index(-1)]}, which nobody else got"
        elif any(one >= other for one, other in pairwise(indexes)):
            yield f"twice, or out of order: {stay.events}"
        elif (
            stay.recovered
            and stay.shown in at
            and indexes != [*range(at[stay.shown] + 1, at[stay.shown] + 1 + len(indexes))]
        ):
            yield f"not what is behind {stay.shown}: {stay.events}"


class Figures:
    """How it went, by the kinds of the server before and of the one that the client came to.

    Args:
        order: of all events.
    """

    def __init__(self, order: Sequence[Event]) -> None:
        self._at = {event: index for index, event in enumerate(order)}
        self._order = order
        self._found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(self, its_stays: list[Stay]) -> None:
        """Count the returns of a client."""
        had: set[Event] = set()
        for before, stay in pairwise([Stay(), *its_stays]):
            if before.place:
                figures = self._found[before.place, stay.place]
                figures["returns"] += 1
                figures["recovered"] += stay.recovered
                if stay.recovered and stay.events and stay.shown in self._at:
                    first, last = self._at[stay.shown], max(self._at.get(event, 0) for event in stay.events)
                    figures["missing"] += len({*self._order[first : last + 1]} - {*stay.events} - had)
                    figures["twice"] += len(stay.events) - len({*stay.events} - had)
            had.update(stay.events)

    def recovered(self, before: str, after: str) -> int:
        """How many clients were recovered that came from a server of one kind to one of another."""
        return self._found[before, after]["recovered"]

    def __str__(self) -> str:
        return "\n".join(
            f"from {before} to {after}: {figures['recovered']} of {figures['returns']} recovered, "
            f"{figures['missing']} events missing, {figures['twice']} twice"
            for (before, after), figures in sorted(self._found.items())
        )
