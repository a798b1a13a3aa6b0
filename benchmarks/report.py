"""The figures of a run as a markdown table and as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from cases import CASES, Case
from contenders import CONTENDERS, GUEST, NODE, PYTHON_SOCKETIO, TXSOCKETIO
from measuring import Sample

SATURATED = 0.9


@dataclass
class Results:
    """All samples of a run, by case and server."""

    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)

    def add(self, case: str, server: str, sample: Sample) -> None:
        self.samples.setdefault((case, server), []).append(sample)

    def figure(self, case: str, server: str) -> float | None:
        """The median of the samples, None without any."""
        samples = self.samples.get((case, server))
        return median(sample.figure for sample in samples) if samples else None

    def ratio(self, case: str, server: str, others: Iterable[str]) -> float | None:
        """The server's figure divided by the best of the others'."""
        ours = self.figure(case, server)
        theirs = [figure for other in others if (figure := self.figure(case, other)) is not None]
        return ours / min(theirs) if ours is not None and theirs else None

    def cases(self) -> list[Case]:
        return [case for case in CASES.values() if any(name == case.name for name, _ in self.samples)]

    def servers(self) -> list[str]:
        return [server for server in CONTENDERS if any(name == server for _, name in self.samples)]


RATIOS = {
    "txsocketio / Node": (TXSOCKETIO, (NODE,)),
    "txsocketio as a guest / Node": (GUEST, (NODE,)),
    "txsocketio / the better python-socketio": (TXSOCKETIO, PYTHON_SOCKETIO),
}


def markdown(results: Results) -> str:
    """A table: a row for each server and each ratio, a column for each case."""
    cases = results.cases()
    rows = [
        ["", *(case.title for case in cases)],
        ["---", *("---:" for _ in cases)],
        *(
            [CONTENDERS[name].title, *(_shown(results.figure(case.name, name)) for case in cases)]
            for name in results.servers()
        ),
    ]
    for title, (server, others) in RATIOS.items():
        ratios = [results.ratio(case.name, server, others) for case in cases]
        if any(ratio is not None for ratio in ratios):
            rows.append([f"**{title}**", *("" if ratio is None else f"**{ratio:.2f}**" for ratio in ratios)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(results: Results) -> dict[str, object]:
    """Medians, samples, ratios and goals by case."""
    return {
        case.name: {
            "title": case.title,
            "unit": case.unit,
            "servers": {
                server: {"median": results.figure(case.name, server), "samples": [sample.figure for sample in samples]}
                for (name, server), samples in results.samples.items()
                if name == case.name
            },
            "goals": goals(results, case),
        }
        for case in results.cases()
    }


def goals(results: Results, case: Case) -> dict[str, dict[str, float | bool]]:
    """Each ratio that could be formed, with what it may be at most and whether it is."""
    limits = (case.goal, case.guest_goal, case.python_goal)
    found: dict[str, dict[str, float | bool]] = {}
    for (title, (server, others)), limit in zip(RATIOS.items(), limits, strict=True):
        ratio = results.ratio(case.name, server, others)
        if ratio is not None and limit is not None:
            found[title] = {"ratio": round(ratio, 3), "at_most": round(limit, 3), "met": ratio <= limit}
    return found


def remarks(results: Results) -> list[str]:
    """Goals that were missed, and figures that say less because the server was not kept busy."""
    said = [
        f"{case.title}: {title} is {goal['ratio']}, above its goal of {goal['at_most']}"
        for case in results.cases()
        for title, goal in goals(results, case).items()
        if not goal["met"]
    ]
    for (case_name, server), samples in results.samples.items():
        busy = median(sample.server_busy for sample in samples)
        if busy < SATURATED and CASES[case_name].unit == "µs":
            said.append(f"{CASES[case_name].title}: {CONTENDERS[server].title} was only {busy:.0%} busy")
    return said


def _shown(figure: float | None) -> str:
    if figure is None:
        return ""
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.1f}"
