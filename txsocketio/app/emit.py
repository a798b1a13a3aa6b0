"""The command `python -m txsocketio emit`: an event for clients, from a shell."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from contextlib import closing

from txsocketio.cluster.emitter import Emitter
from txsocketio.errors import CallerError, WorldError
from txsocketio.types import Json


def parser() -> ArgumentParser:
    """The command line."""
    root = ArgumentParser("python -m txsocketio", description="Talk to Socket.IO servers that share a broker.")
    emit = root.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "emit",
        help="emit an event to clients",
        description="Emit an event to clients: to all of a namespace, or to those in rooms.",
    )
    emit.add_argument("--adapter", metavar="URL", required=True, help="the broker, as the servers have it")
    emit.add_argument("--namespace", metavar="NAME", default="/", help="of which namespace [default: /]")
    emit.add_argument("--room", metavar="ROOM", action="append", default=[], help="who is in it; can be repeated")
    emit.add_argument("--except", metavar="ROOM", action="append", default=[], dest="excluded", help="who is not in it")
    emit.add_argument("--recovery", action="store_true", help="the servers have connection_state_recovery on")
    emit.add_argument("event", metavar="EVENT", help="its name")
    emit.add_argument("arguments", metavar="JSON", nargs="*", type=_json, help="""its arguments, like 5, '"text"'""")
    return root


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the arguments say, those of the process by default; what went wrong is told in one line."""
    given = parser().parse_args(arguments)
    try:
        emit(given)
    except (CallerError, WorldError) as error:
        sys.exit(f"python -m txsocketio: {error}")


def emit(given: Namespace) -> None:
    """Emit the event."""
    with closing(Emitter(given.adapter, blocking=True, connection_state_recovery=given.recovery)) as emitter:
        emitter.of(given.namespace).to(given.room).except_(given.excluded).emit(given.event, *given.arguments)


def _json(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not JSON; a text needs quotes of its own: '\"{text}\"'") from None
