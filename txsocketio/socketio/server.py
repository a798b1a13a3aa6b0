"""The server: what applications create, and the wiring of what is below it.

Engine (sessions) --on_session--> Server --> Connection, one for each session --> Socket, one for each namespace
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, overload

from twisted.internet.defer import Deferred

from txsocketio.engineio.engine import Engine
from txsocketio.protocol.msgpack_codec import MsgpackParser
from txsocketio.protocol.packet import DefaultParser
from txsocketio.protocol.parser import Parser
from txsocketio.socketio.adapter import Adapter, all_of
from txsocketio.socketio.broadcast import Broadcast
from txsocketio.socketio.brokers import Broker, make_broker
from txsocketio.socketio.client_files import ClientFiles
from txsocketio.socketio.connection import Connection, DecodingConnection
from txsocketio.socketio.life import Life
from txsocketio.socketio.listening import Listening
from txsocketio.socketio.namespace import Namespace
from txsocketio.socketio.namespaces import Namespaces
from txsocketio.socketio.old_connection import DecodingOldConnection, OldConnection
from txsocketio.socketio.options import ServerOptions
from txsocketio.socketio.parent import ParentNamespace, Wanted
from txsocketio.socketio.recovery import RecoveryAdapter
from txsocketio.socketio.service import SocketIOService
from txsocketio.socketio.socket import Socket
from txsocketio.types import Handler, Json

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint
    from twisted.web.resource import IResource

    from txsocketio.engineio.resource import EngineResource
    from txsocketio.engineio.session import Session
    from txsocketio.engineio.site import EngineSite

H = TypeVar("H", bound=Handler)
C = TypeVar("C", bound=Callable[[Socket], object])


class Server(Broadcast, Listening):
    """A Socket.IO server. It stands for its namespace "/" too: `io.on(...)`, `io.use(...)`, `io.to(...).emit(...)`.

    Besides the events of a `Namespace` it has "new_namespace", with each namespace that comes to be.

    Args:
        clock: where time comes from; the reactor, if it is not given.
        options: see the configuration reference; durations are in seconds, sizes in bytes.

    Attributes:
        engine: the Engine.IO server underneath.
        broker: the connection to what joins several servers, see `Broker`; None when there is one only.
        namespaces: by name.
        root: the namespace "/".

    Raises:
        OptionError: an option is unknown, or its value is not allowed.
    """

    def __init__(self, *, clock: IReactorTime | None = None, **options: Json) -> None:
        self.options = ServerOptions.of(options)
        self.engine = Engine(self.options, clock)
        self.engine.on_session = self._accept_first
        if self.options.client_path is not None:
            self.engine.files = ClientFiles(self.options.client_path, self.engine.answers.send).serve
        self.parser = _parser(self.options)
        is_default = type(self.parser) is DefaultParser
        self._connection = Connection if is_default else DecodingConnection
        self._old_connection = OldConnection if is_default else DecodingOldConnection
        adapter = self.options.adapter
        self.broker: Broker | None = None if adapter is None else make_broker(self, adapter)
        self.life = Life(self)
        self.namespaces = Namespaces(self)
        self.root = self.namespaces.root
        self.handlers = self.root.handlers
        super().__init__(self.root.adapter)

    def __repr__(self) -> str:
        return f"<Server {self.options.path}, {self.engine.clients_count} clients>"

    @overload
    def of(self, name: str) -> Namespace: ...

    @overload
    def of(self, name: Wanted) -> ParentNamespace: ...

    def of(self, name: str | Wanted) -> Namespace | ParentNamespace:
        """The namespace of this name, which exists from now on.

        Args:
            name: or which namespaces come to be when a client asks for them: a pattern, which must match the whole
                name, or a function of the name and the client's `auth` that gives a bool, and may wait. All that were
                given are asked in order.

        Returns:
            For a pattern or a function, also as a decorator: the parent of all those namespaces.

        Raises:
            InvalidNamespace: no client could ever join it.
        """
        return self.namespaces.named(name) if isinstance(name, str) else self.namespaces.parent(name)

    # --- running it ---

    def start(self) -> Deferred[None]:
        """Connect to the other servers, if there is a broker. Who is served starts the server by itself, if need be.

        Returns:
            Fires when everything that is emitted from now on is exchanged with them. While the broker is away it is
            tried again and again, and clients are served meanwhile.
        """
        self.engine.on_session = self._accept
        self.engine.start()
        return self.life.start()

    def resource(self) -> EngineResource:
        """The server as a leaf for a tree of twisted.web: `root.putChild(b"socket.io", io.resource())`."""
        return self.engine.resource()

    def site(self, root: IResource | None = None) -> EngineSite:
        """A site of our own, the fastest way to serve; `root` is served beside the server (`max_root_body_size`)."""
        return self.engine.site(root)

    def service(self, *endpoints: str | IStreamServerEndpoint, root: IResource | None = None) -> SocketIOService:
        """A service that listens on the endpoints ("tcp:3000" and the like), and closes the server when it stops.

        Args:
            endpoints: descriptions of Twisted's endpoints, or such.
            root: what is served beside the server.
        """
        return SocketIOService(self, endpoints, root)

    def close(self) -> Deferred[None]:
        """Disconnect everybody: "server shutting down". Clients are not told, so that they come back.

        Returns:
            Fires when every connection is gone and the adapters are stopped, and then the broker. What hangs there is
            waited for four seconds at most.
        """
        self.namespaces.disconnect()
        return all_of([self.engine.close(), self.life.stop()])

    def make_adapter(self, namespace: Namespace) -> Adapter:
        """What decides who gets the packets of a namespace: called once, when there is such a namespace."""
        if self.broker is not None:
            return self.broker.adapter(namespace)
        return Adapter(namespace) if self.options.recovery is None else RecoveryAdapter(namespace)

    def _accept_first(self, session: Session) -> None:
        """A client has come before the start."""
        self.start().addErrback(lambda _: None)  # it is logged
        self._accept(session)

    def _accept(self, session: Session) -> None:
        (self._connection if session.protocol == 4 else self._old_connection)(self, session)

    def use(self, middleware: H) -> H:
        """See `Namespace.use`."""
        return self.root.use(middleware)

    def register(self, handlers: C) -> C:
        """See `Namespace.register`."""
        return self.root.register(handlers)

    def server_side_emit(self, event: str, *arguments: Json) -> Deferred[None]:
        """See `Namespace.server_side_emit`."""
        return self.root.server_side_emit(event, *arguments)

    def server_side_call(self, event: str, *arguments: Json) -> Deferred[list[Json]]:
        """See `Namespace.server_side_call`."""
        return self.root.server_side_call(event, *arguments)


def _parser(options: ServerOptions) -> Parser:
    parser = options.parser
    if not isinstance(parser, str):
        return parser
    if parser == "msgpack":
        return MsgpackParser()
    return DefaultParser(options.max_attachments, options.attachments_limit)
