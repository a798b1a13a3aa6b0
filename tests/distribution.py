"""How the tests are shared out among the processes of pytest-xdist, with `--dist loadgroup`.

A unit of tests goes to one process: as a rule a file. What needs the same broker, or the same servers, is one unit too,
so that these are started once. Units that take long come first: the last ones should be short, or a process is left
alone with one in the end.
"""

from __future__ import annotations

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

#: The units that take longest, in this order. All others follow, those with most tests first.
LONG = (
    "tests/failures",
    "tests/mixed/test_mixed_failures.py",
    "tests/adapters rabbitmq",
    "tests/adapters kafka",
    "tests/contract rabbitmq",
    "tests/contract kafka",
    "tests/contract redis",
    "tests/test_soak.py",
)

#: What a test of an adapter, or of the contract, is about.
BROKER = {
    "tests/adapters": re.compile(r"/test_(rabbitmq|kafka)"),
    "tests/contract": re.compile(r"\[.*?\b(memory|redis|kafka|rabbitmq)\b"),
}


def unit_of(test: str) -> str:
    """What this test belongs to, by its id."""
    file = test.partition("::")[0]
    folder = file.rpartition("/")[0]
    if folder == "tests/failures":
        return folder
    if folder in BROKER and (broker := BROKER[folder].search(test)):
        return f"{folder} {broker[1]}"
    return file


class Distribution(LoadScopeScheduling):
    """Gives each process that is free the longest unit that is left."""

    # Called by pytest-xdist.

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: object) -> None:
        for unit in LONG:
            if unit in self.workqueue:
                self.workqueue.move_to_end(unit, last=False)
                break
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Distribution | None:
    """Have it take the place of xdist's own."""
    return Distribution(config, log) if config.getoption("dist") == "loadgroup" else None
