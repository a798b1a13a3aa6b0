"""JavaScript that a server of Node.js is to run, out of Python's values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred


def javascript(value: object) -> str:
    """The source of a value; bytes are a Buffer."""
    if isinstance(value, bytes):
        return f'Buffer.from("{value.hex()}", "hex")'
    if isinstance(value, (list, tuple)):
        return f"[{arguments(value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {javascript(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def arguments(values: Iterable[object]) -> str:
    return ", ".join(map(javascript, values))


class Speaking:
    """What is done with the methods of Socket.IO that servers and emitters have.

    `targets` are the rooms `to` which something goes, and those `except_`, as lists; whether it is `volatile`; and the
    namespace that it is sent to the clients `of`.
    """

    #: The name, there, of who does it.
    speaker: str

    def run(self, code: str) -> Deferred[Any]:
        """Run code there; fires with what it returns."""
        raise NotImplementedError

    def emit(self, *event: object, **targets: Any) -> Deferred[None]:
        """Send an event to clients."""
        return self.run(f"{self.aimed(**targets)}.emit({arguments(event)})")

    def join(self, *rooms: str, **targets: Any) -> Deferred[None]:
        return self.run(f"{self.aimed(**targets)}.socketsJoin({javascript(rooms)})")

    def leave(self, *rooms: str, **targets: Any) -> Deferred[None]:
        return self.run(f"{self.aimed(**targets)}.socketsLeave({javascript(rooms)})")

    def disconnect(self, close: bool, **targets: Any) -> Deferred[None]:
        return self.run(f"{self.aimed(**targets)}.disconnectSockets({javascript(close)})")

    def tell(self, *event: object) -> Deferred[None]:
        """Send an event to the other servers."""
        return self.run(f"{self.speaker}.serverSideEmit({arguments(event)})")

    def aimed(self, to: Iterable[str] = (), except_: Iterable[str] = (), volatile: bool = False, of: str = "") -> str:
        """The source of an operator for these targets."""
        aim = self.speaker
        if of:
            aim += f".of({javascript(of)})"
        if rooms := [*to]:
            aim += f".to({javascript(rooms)})"
        if excluded := [*except_]:
            aim += f".except({javascript(excluded)})"
        return aim + ".volatile" * volatile
