"""What is held against servers of ours, and what is not."""

from __future__ import annotations

import pytest

from tests.mixed.stays import Event, Figures, faults, stays

ORDER: list[Event] = [("a", number, f"{number}-0") for number in range(1, 9)]


def log(*what: int | str) -> list[list[object]]:
    """Of numbers, and of what happened between them."""
    entries: list[list[object]] = []
    for each in what:
        if isinstance(each, int):
            entries.append(["number", "a", each, f"{each}-0"])
        elif each == "cut":
            entries.append(["disconnect", "transport close"])
        else:
            entries.append(["connect", "id", each == "back"])
    return entries


TO_OURS = [(0, "ours"), (1, "ours")]
FROM_NODE = [(0, "node"), (1, "ours")]
TO_NODE = [(0, "ours"), (1, "node")]


@pytest.mark.parametrize(
    ("what", "places"),
    [
        (("new", 1, 2, "cut", "back", 3, 4), TO_OURS),
        (("new", 1, 2, "cut", "back"), TO_OURS),
        (("new", "cut", "back", 3, 4), TO_OURS),
        (("new", 1, 2, "cut", "new", 5, 6), FROM_NODE),
        (("new", 1, 3, 2, 2, "cut", "back", 3, 4), FROM_NODE),
        (("new", 1, 2, "cut", 2, 4, "back", 3, 5), TO_NODE),
        (("new", 1, 2, "cut", "new", 5, 5), TO_NODE),
    ],
)
def test_what_is_right_or_not_our_fault(what: tuple[int | str, ...], places: list[tuple[int, str]]) -> None:
    assert [*faults(stays(log(*what), places), ORDER)] == []


@pytest.mark.parametrize(
    ("what", "places", "fault"),
    [
        (("new", 1, 2, "cut", "new", 3), TO_OURS, "not recovered"),
        (("new", 1, 2, "cut", "back", 4), TO_OURS, "not what is behind"),
        (("new", 1, 2, "cut", "back", 2, 3), TO_OURS, "not what is behind"),
        (("new", 1, 2, "cut", "back", 3, 5), FROM_NODE, "not what is behind"),
        (("new", 1, 2, "cut", "new", 5, 5), FROM_NODE, "twice"),
        (("new", 1, 2, "cut", "new", 6, 5), FROM_NODE, "out of order"),
        (("new", 1, 9), TO_OURS, "nobody else got"),
    ],
)
def test_what_is_wrong_is_told(what: tuple[int | str, ...], places: list[tuple[int, str]], fault: str) -> None:
    (found,) = faults(stays(log(*what), places), ORDER)
    assert fault in found


def test_figures_count_what_a_server_of_node_js_has_missed_or_sent_twice() -> None:
    figures = Figures(ORDER)
    figures.add(stays(log("new", 1, 2, "cut", 2, 5, "back", 6, "cut", "new"), [*TO_NODE, (2, "node")]))
    assert str(figures).splitlines() == [
        "from node to node: 0 of 1 recovered, 0 events missing, 0 twice",
        "from ours to node: 1 of 1 recovered, 2 events missing, 1 twice",
    ]
