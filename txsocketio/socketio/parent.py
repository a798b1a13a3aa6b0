r"""Namespaces that come to be when a client asks for them.

    io.of(re.compile(r"/room-\d+"))                   "/room-1" does not exist yet:
                 |                                         ^        |
          ParentNamespace  <---- shall there be one? ------'        v
                 '-------------- its middlewares and listeners --> ChildNamespace

A parent has no clients. What is emitted to it goes to all its children.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from twisted.internet.defer import Deferred

from txsocketio.errors import UnsupportedCall
from txsocketio.socketio.adapter import Adapter, Names, all_of
from txsocketio.socketio.broadcast import Flags
from txsocketio.socketio.handlers import run
from txsocketio.socketio.listening import Once
from txsocketio.socketio.namespace import Entrance, Namespace
from txsocketio.types import Handler, Json

if TYPE_CHECKING:
    from txsocketio.socketio.away import RecoverySession
    from txsocketio.socketio.remote import RemoteSocket
    from txsocketio.socketio.server import Server
    from txsocketio.socketio.socket import Socket

#: Says which namespaces there shall be: a pattern of the whole name, or a function of the name and the client's `auth`
#: that gives a bool, and may wait.
Wanted: TypeAlias = re.Pattern[str] | Callable[[str, Json], Json]


class ParentNamespace(Entrance):
    """What the namespaces that clients may ask for have in common.

    A namespace gets the middlewares and listeners that its parent has when it comes to be. What is emitted here goes to
    all of them that are known in this process.

    Attributes:
        children: the namespaces that there are, by name.
    """

    def __init__(self, server: Server, wanted: Wanted) -> None:
        self.server = server
        self.wanted = wanted
        self.children: dict[str, ChildNamespace] = {}
        super().__init__(ParentAdapter(self.children.values()))

    def __repr__(self) -> str:
        return f"<ParentNamespace of {self.wanted!r}, {len(self.children)} children>"

    # --- what Server asks ---

    def matches(self, name: str) -> bool:
        """Whether its pattern, if it is one, wants the namespace."""
        return isinstance(self.wanted, re.Pattern) and self.wanted.fullmatch(name) is not None

    async def wants(self, name: str, auth: Json) -> bool:
        """Whether there shall be a namespace of this name."""
        if isinstance(self.wanted, re.Pattern):
            return self.matches(name)
        answer = run(self.wanted, (name, auth))
        return bool(await answer if isinstance(answer, Deferred) else answer)

    def create(self, name: str) -> ChildNamespace:
        """A new child."""
        child = self.children[name] = ChildNamespace(self, name)
        return child


class ChildNamespace(Namespace):
    """A namespace that has a parent, and may end when it is empty.

    It always does if nobody has ever been let in: who is refused must leave nothing behind.
    """

    def __init__(self, parent: ParentNamespace, name: str) -> None:
        super().__init__(parent.server, name)
        self._parent = parent
        self._clients = 0
        self._is_kept = False
        self.middlewares = parent.middlewares
        for event, handlers in parent.handlers.items():
            self.handlers[event] = tuple(self._own(event, handler) for handler in handlers)

    def _own(self, event: str, handler: Handler) -> Handler:
        """What hears one event only hears one of each child."""
        return Once(self, event, handler.handler) if isinstance(handler, Once) else handler

    def admit(self, socket: Socket) -> None:
        self._clients += 1
        super().admit(socket)

    def kept(self) -> Namespace:
        self._is_kept = not self.options.cleanup_empty_child_namespaces
        return self

    def forget(self, socket: Socket) -> None:
        if socket.id in self.sockets:
            self.kept()
        super().forget(socket)
        self._clients -= 1
        self._end_if_empty()

    def expired(self, session: RecoverySession) -> None:
        super().expired(session)
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        """End if nobody is here, on the way in, or away and may come back."""
        if self._clients == 0 and not self._is_kept and not self.adapter.is_needed():
            del self._parent.children[self.name]
            self.server.namespaces.forget(self)


class ParentAdapter(Adapter):
    """Hands what is done to a parent to the children.

    There may be others, on other servers: what gives an answer would give one that lacks theirs.
    """

    def __init__(self, children: Iterable[Namespace]) -> None:
        self._children = children

    def broadcast(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        return all_of(child.adapter.broadcast(event, rooms, excluded, flags) for child in self._now())

    def sockets_join(self, joined: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        return all_of(child.adapter.sockets_join(joined, rooms, excluded, flags) for child in self._now())

    def sockets_leave(self, left: Names, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        return all_of(child.adapter.sockets_leave(left, rooms, excluded, flags) for child in self._now())

    def disconnect_sockets(self, close: bool, rooms: Names, excluded: Names, flags: Flags) -> Deferred[None]:
        return all_of(child.adapter.disconnect_sockets(close, rooms, excluded, flags) for child in self._now())

    def call(self, event: list[Json], rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Json]]:
        raise UnsupportedCall("call")

    def fetch_sockets(self, rooms: Names, excluded: Names, flags: Flags) -> Deferred[list[Socket | RemoteSocket]]:
        raise UnsupportedCall("fetch_sockets")

    def _now(self) -> list[Namespace]:
        """The children; what is done to them may end some."""
        return list(self._children)
