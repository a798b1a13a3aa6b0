"""Imports point down only: app > cluster > socketio > engineio > protocol > errors, types."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "txsocketio"

#: From the ground up. `adapters` stands beside `app`: it builds on clusters, and only plugins know it by name.
LAYERS = (
    ("errors", "types"), ("protocol",), ("engineio",), ("socketio",), ("cluster",), ("app", "adapters"), ("__main__",),
)  # fmt: skip
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}

#: What would bring I/O, time or chance into the codecs.
IMPURE = {"asyncio", "autobahn", "logging", "os", "random", "secrets", "select", "socket", "ssl"}
IMPURE |= {"subprocess", "threading", "time", "twisted", "txaio", "zope"}

FILES = {
    ".".join(("txsocketio", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in [*PACKAGE.rglob("*.py"), *(PACKAGE / "adapters").rglob("*.py")]  # rglob stops at the symlink
}

#: The folders of adapters.
BROKERS = {name.split(".")[2] for name in FILES if name.startswith("txsocketio.adapters.") and name.count(".") == 3}


def imports(path: Path, for_types: bool = True) -> Iterator[str]:
    """The full names of the modules (or of names in them) that a file imports anywhere, in functions too."""
    for node in walk(ast.parse(path.read_text(encoding="utf-8")), for_types):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}:{node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def walk(node: ast.AST, for_types: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if for_types or not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from walk(child, for_types)


def layer(name: str) -> str:
    return name.split(".")[1]


def module_of(name: str) -> str:
    """The module of ours that an imported name belongs to: `txsocketio.a.b.Name` is in `txsocketio.a.b`."""
    return name if name in FILES else name.rpartition(".")[0]


@pytest.mark.parametrize("module", sorted(FILES.keys() - {"txsocketio"}))
def test_imports_point_down(module: str) -> None:
    """A module needs what is below it, or beside it in its own folder; nothing above."""
    assert layer(module) in HEIGHT, f"{module} has no layer yet: give it one in LAYERS"
    for name in imports(FILES[module]):
        if name.startswith("txsocketio.") and layer(name) != layer(module):
            below = HEIGHT[layer(name)] < HEIGHT[layer(module)]
            ground = HEIGHT[layer(name)] == 0
            assert below or ground, f"{module} imports {name}, which is not below it"


@pytest.mark.parametrize("module", sorted(name for name in FILES if name.startswith("txsocketio.adapters.")))
def test_no_broker_knows_another(module: str) -> None:
    """What two of them need is beside their folders, or in the cluster."""
    imported = {name.split(".")[2] for name in imports(FILES[module]) if name.startswith("txsocketio.adapters.")}
    assert not imported & BROKERS - {module.split(".")[2]}


def test_modules_have_no_cycle() -> None:
    """The modules can be put in one order in which each needs only those before it. That is the order of the tour."""
    graph = {
        module: {module_of(name) for name in imports(path, for_types=False) if name.startswith("txsocketio")} - {module}
        for module, path in FILES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(name for name in FILES if name.startswith("txsocketio.protocol.")))
def test_codecs_are_pure(module: str) -> None:
    """A codec turns bytes into packets and back; it knows no reactor, clock, log or chance."""
    impure = {name.split(".")[0] for name in imports(FILES[module])} & IMPURE
    assert not impure
