"""All namespaces of a server, and which ones there may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from txsocketio.errors import ConnectionRefused, InvalidNamespace
from txsocketio.socketio.namespace import Namespace
from txsocketio.socketio.parent import ParentNamespace, Wanted
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.socketio.server import Server

log = Logger()


class Namespaces(dict[str, Namespace]):
    """The namespaces of a server by name, beginning with "/".

    Attributes:
        parents: whom clients ask for a namespace that does not exist, one after the other.
    """

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.parents: tuple[ParentNamespace, ...] = ()
        self._server = server
        self.root = self["/"] = Namespace(server, "/")

    def named(self, name: str) -> Namespace:
        """The namespace of this name, which exists from now on.

        Raises:
            InvalidNamespace: no client could ever join it.
        """
        if not name.startswith("/"):
            name = f"/{name}"
        if name in self:
            return self[name].kept()
        if "," in name:
            raise InvalidNamespace(f"{name!r}: a comma ends the name in a packet")
        if len(name) > self._server.options.max_namespace_length:
            raise InvalidNamespace(f"{name!r} is longer than max_namespace_length")
        for parent in self.parents:
            if parent.matches(name):
                return self._add(parent.create(name)).kept()
        return self._add(Namespace(self._server, name))

    def parent(self, wanted: Wanted) -> ParentNamespace:
        """The parent of the namespaces that are wanted.

        Raises:
            InvalidNamespace: that is nothing which could be asked.
        """
        for parent in self.parents:
            if parent.wanted == wanted:
                return parent
        is_pattern = isinstance(wanted, re.Pattern) and isinstance(wanted.pattern, str)
        if not is_pattern and not callable(wanted):
            raise InvalidNamespace(f"{wanted!r} is not a name, a pattern of text, or a function")
        parent = ParentNamespace(self._server, wanted)
        self.parents += (parent,)
        return parent

    async def find(self, name: str, auth: Json) -> ParentNamespace:
        """Who wants the namespace that a client asks for, when it did not exist until now.

        Raises:
            ConnectionRefused: nobody does.
        """
        for parent in self.parents:
            try:
                if await parent.wants(name, auth):
                    return parent
            except CancelledError:
                raise
            except ConnectionRefused:
                continue
            except Exception:  # noqa: BLE001 - a border, the application's code
                log.failure("A function given to of() failed when it was asked for {name}", name=name)
        raise ConnectionRefused("Invalid namespace")

    def bring(self, parent: ParentNamespace, name: str) -> Namespace:
        """The namespace that a client brings into being, unless another one has meanwhile.

        Raises:
            ConnectionRefused: there are too many.
        """
        if name in self:
            return self[name]
        limit = self._server.options.max_dynamic_namespaces
        left = limit - sum(len(each.children) for each in self.parents)
        if left <= 0:
            raise ConnectionRefused("Too many namespaces")
        if left == 1:
            log.warn("No more namespaces come to be: there are {limit} (max_dynamic_namespaces)", limit=limit)
        return self._add(parent.create(name))

    def _add(self, namespace: Namespace) -> Namespace:
        self[namespace.name] = namespace
        self._server.life.add(namespace)
        self.root.tell("new_namespace", namespace)
        return namespace

    def forget(self, namespace: Namespace) -> None:
        """The namespace is empty, and is not to be kept."""
        del self[namespace.name]
        self._server.life.remove(namespace)

    def disconnect(self) -> None:
        """Disconnect everybody."""
        for namespace in list(self.values()):
            for socket in list(namespace.sockets.values()):
                socket.ended("server shutting down")
