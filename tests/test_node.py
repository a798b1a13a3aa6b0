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

#: The cells of each line of the tables, their headers included.
LINES = [[cell.strip() for cell in line.split("|")] for line in PAGE.splitlines() if line.count("|") == 4]

#: Of each row: Node's names, ours, since when, the test, and what differs.
ROWS = [line for line in LINES if not line[0].startswith(":header:")]

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
        if ours == NOTHING:
            assert differs and not shown_by, node
        else:
            assert since == "0.1" and links_in(shown_by), node


def test_every_name_is_in_a_test_of_its_row() -> None:
    """Else the link leads to something else."""
    for _, ours, _, shown_by, _ in ROWS:
        shown = "\n".join(source_of(*test.split("::")) for test in links_in(shown_by))
        names = [name.rpartition(".")[2] for name in re.findall(r"`([^`]+)`", ours)]
        assert [name for name in names if not re.search(rf"\b{name}\b", shown)] == [], shown_by


def links_in(shown_by: str) -> list[str]:
    return re.findall(r":test:`([^`]+)`", shown_by)


def source_of(path: str, name: str) -> str:
    """The source of a test, with what it uses of its module: tables, fixtures, helpers."""
    text = (ROOT / "tests" / path).read_text(encoding="utf-8")
    parts = {part: node for node in ast.parse(text).body for part in defined_by(node)}
    wanted, found = [name], set[str]()
    for each in wanted:  # grows meanwhile
        if each in parts and each not in found:
            found.add(each)
            wanted += [node.id for node in ast.walk(parts[each]) if isinstance(node, ast.Name)]
            wanted += [node.arg for node in ast.walk(parts[each]) if isinstance(node, ast.arg)]
    assert name in found, f"{path}::{name}"
    return "\n".join(ast.unparse(parts[each]) for each in found)


def defined_by(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return [each.id for each in node.targets if isinstance(each, ast.Name)] if isinstance(node, ast.Assign) else []
