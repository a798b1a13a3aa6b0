"""The page about limits names each one, with its value."""

from __future__ import annotations

from ast import literal_eval
from dataclasses import fields
from importlib import import_module
from pkgutil import walk_packages

import txsocketio
from tests.conftest import ROOT
from txsocketio.socketio.options import RecoveryOptions, ServerOptions

PAGE = (ROOT / "docs" / "howto" / "limits.rst").read_text(encoding="utf-8")

#: The cells of each line of the tables, their headers included.
LINES = [[cell.strip() for cell in line.split("|")] for line in PAGE.splitlines() if line.count("|") == 3]

#: Of each row: the option or the constant, its value, what it limits, what happens.
ROWS = [line for line in LINES if not line[0].startswith(":header:")]
VALUES = {name.strip("`"): literal_eval(value.strip("`")) for name, value, _, _ in ROWS}

#: Options that limit nothing; a new one has to be put here, or into the page.
OTHERS = {
    "path", "transports", "allow_upgrades", "allow_eio3", "per_message_deflate", "http_compression", "initial_packet",
    "cookie", "cors_allowed_origins", "cors", "allow_request", "generate_id", "trusted_proxies", "client_path",
    "parser", "cleanup_empty_child_namespaces", "adapter",
}  # fmt: skip

#: Words in the names of constants that are limits, and those that are none.
LIMITS = ("MAX_", "TIMEOUT", "LINGER", "LOG_INTERVAL", "ANSWER_SIZE")
DEFAULTS = {"MAX_ATTACHMENTS", "MAX_ATTACHMENTS_SIZE", "MAX_AT_ONCE"}


def test_every_option_that_limits_something_is_there() -> None:
    """With its default, so that nobody has to look it up."""
    options = {each.name: each.default for each in fields(ServerOptions) if each.name not in OTHERS}
    assert {name: value for name, value in VALUES.items() if "." not in name} == options


def test_limits_of_recovery_are_there() -> None:
    """They share a row."""
    (row,) = (what for name, _, what, _ in ROWS if name == "`connection_state_recovery`")
    for each in fields(RecoveryOptions):
        value = f"{each.default:,.0f}".replace(",", " ")
        assert each.name == "skip_middlewares" or f"`{each.name}` ({value}" in row


def test_every_fixed_limit_is_there() -> None:
    """Constants whose names say so, wherever they stand; of the brokers only those that clients can come up against."""
    modules = [import_module(each.name) for each in walk_packages(txsocketio.__path__, "txsocketio.")]
    found = {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if any(word in name for word in LIMITS) and name.isupper() and name not in DEFAULTS
    }
    named = {name: value for name, value in VALUES.items() if "." in name}
    assert named.items() <= found.items()
    ours = {name.rpartition(".")[2] for name in found if not name.startswith("txsocketio.adapters.")}
    assert ours <= {name.rpartition(".")[2] for name in named}
