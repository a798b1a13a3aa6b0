"""The judge of the failure tests: one that finds nothing would be worth nothing."""

from __future__ import annotations

import pytest

from tests.failures.judge import Log, disagreement, faults


def log_of(*numbers: int, source: str = "a") -> Log:
    return [["connect", "id", False], *(["number", source, number, str(number)] for number in numbers)]


def test_complete_log_is_faultless() -> None:
    log = [*log_of(1, 2), ["disconnect", "transport close"], ["connect", "id", True], ["number", "a", 3, "3"]]
    assert faults(log, {"a": 3}) == []
    assert faults(log_of(1, 3), {"a": 3}, {"a": [2]}) == []


@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        ([1, 4, 5], "missing 2-3"),
        ([2, 3, 4, 5], "missing 1"),
        ([1, 2, 3], "missing 4-5"),
        ([], "missing 1-5"),
        ([1, 2, 2, 3, 4, 5], "twice 2"),
        ([1, 2, 3, 4, 5, 6], "not emitted 6"),
        ([1, 3, 2, 4, 5], "out of order"),
    ],
)
def test_fault_is_found_and_shown(numbers: list[int], fault: str) -> None:
    (found,) = faults(log_of(*numbers), {"a": 5})
    assert found.startswith(f"of a: {fault};")


@pytest.mark.parametrize("again", [["connect", "id", False], ["connect", "other", True]])
def test_client_that_is_not_the_same_is_found(again: list[object]) -> None:
    (found,) = faults([*log_of(1), again], {"a": 1})
    assert found.startswith("connection 2")


def test_different_orders_are_found() -> None:
    one, other = [*log_of(1), *log_of(1, source="b")], [*log_of(1, source="b"), *log_of(1)]
    assert disagreement({"ann": one, "bob": one}) is None
    assert disagreement({"ann": one, "bob": other}) == "ann got ['a', 1, '1'] where bob got ['b', 1, '1']"
