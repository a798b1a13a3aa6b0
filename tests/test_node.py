"""The table of the Node server's names: what it names exists here, and each row is shown by a test that exists."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re

import txsocketio
from tests.conftest import ROOT
from txsocketio.socketio.adapter import Adapter
from txsocketio.socketio.options import RecoveryOptions, ServerOptions
from txsocketio.socketio.rooms import Rooms

PAGE = (ROOT / "docs" / "reference" / "node.rst").read_text(encoding="utf-8")

#: The cells of each row: Node's names, ours, since when, the test, and what differs.
ROWS = [[cell.strip() for cell in line.split("|")] for line in PAGE.splitlines() if line.count("|") == 4]

NOTHING = "—"

CLASSES = {"Adapter": Adapter, "Rooms": Rooms} | {name: getattr(txsocketio, name) for name in txsocketio.__all__}

OPTIONS = {each.name for kind in (ServerOptions, RecoveryOptions) for each in dataclasses.fields(kind)}


def exists(name: str) -> bool:
    """Whether it is a class, an attribute of one, or an option."""
    kind, _, attribute = name.partition(".")
    if kind in CLASSES:
        return not attribute or hasattr(CLASSES[kind], attribute) or attribute in set_by(CLASSES[kind])
    return name in OPTIONS


def set_by(kind: type) -> set[str]:
    """The attributes that the methods of the class, and of those it extends, give to an object."""
    sources = [inspect.getsource(each) for each in kind.__mro__ if each.__module__.startswith("txsocketio.")]
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}


def test_every_name_exists() -> None:
    """So that nobody looks for what has been renamed."""
    named = {name for row in ROWS for name in re.findall(r"`([^`]+)`", row[1])}
    assert len(named) > 100
    assert not [name for name in sorted(named) if not exists(name)]


def test_every_row_is_shown_by_a_test() -> None:
    """Only what does not exist here has none, and says why."""
    for node, ours, since, shown_by, differs in ROWS:
        path, _, name = shown_by.removeprefix(":test:`").removesuffix("`").partition("::")
        if ours == NOTHING:
            assert differs and not shown_by, node
        else:
            assert since == "0.1", node
            assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE), shown_by
