"""The public names. Adding one is a decision, and removing one breaks somebody: both are made here."""

from __future__ import annotations

import ast
from importlib import import_module

import pytest

from tests.conftest import ROOT

PUBLIC: dict[str, set[str]] = {
    "txsocketio": {
        "AckTimeout",
        "Broadcast",
        "BrokerError",
        "BrokerUnavailable",
        "ConnectionRefused",
        "Disconnected",
        "Emitter",
        "Engine",
        "Handshake",
        "InvalidNamespace",
        "Namespace",
        "OptionError",
        "ParentNamespace",
        "Reason",
        "RemoteSocket",
        "ReservedEvent",
        "Server",
        "Session",
        "Socket",
        "TooManyAttachments",
        "TxSocketIOError",
        "UnserializableData",
        "UnsupportedCall",
    },
}


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_these(module: str) -> None:
    """`from txsocketio import ...` offers these names and no other."""
    assert set(getattr(import_module(module), "__all__", ())) == PUBLIC[module]


def test_type_checkers_find_them_where_they_are() -> None:
    """They read imports; what runs imports when it is asked."""
    source = (ROOT / "txsocketio" / "__init__.py").read_text(encoding="utf-8")
    read = {
        alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("txsocketio")
        for alias in node.names
    }
    package = import_module("txsocketio")
    assert read == {name: f"txsocketio.{module}.{name}" for name, module in package._HOMES.items()}
    assert set(dir(package)) == PUBLIC["txsocketio"]


@pytest.mark.parametrize(("module", "name"), [(module, name) for module in PUBLIC for name in sorted(PUBLIC[module])])
def test_public_name_is_documented(module: str, name: str) -> None:
    """The reference is made from the docstrings, so each public name has one of its own."""
    assert vars(getattr(import_module(module), name)).get("__doc__"), f"{module}.{name} has no docstring"
