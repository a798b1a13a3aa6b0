"""The command `twistd socketio`: its flags, and the service that they make."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import ClassVar

from twisted.application.service import IService
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python import usage

from txsocketio.app import config, demo
from txsocketio.app.config import Config
from txsocketio.errors import ConfigError, OptionError
from txsocketio.socketio.server import Server
from txsocketio.socketio.service import SocketIOService
from txsocketio.types import Json

ENDPOINTS = "tcp:PORT, ssl:PORT:privateKey=FILE:certKey=FILE, unix:PATH"

EXPLANATION = """
Serves Socket.IO. Without arguments: a chat at http://localhost:3000/.

The application, "chat:setup" for instance, is `setup` in chat.py of the current
directory, or of a package. It is called with the Server, and registers its
handlers; or it is a Server itself, with its own options.

The file has the same keys, and all options of the server and of the broker:

    app = "chat:setup"
    listen = ["tcp:8080", "ssl:8443:privateKey=key.pem:certKey=cert.pem"]

    [server]
    cors_allowed_origins = ["https://example.com"]
    ping_interval = 20.0

    [adapter]
    url = "redis://localhost:6379/0"
    requests_timeout = 3.0

The URL of a broker is one of

    redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]        publish/subscribe
    redis+streams://...                                   a log
    redis+sharded://...                                   of Redis 7 and later
    kafka://HOST[:PORT][,HOST...]/TOPIC
    amqp://[USER:PASSWORD@]HOST[:PORT][/VIRTUAL-HOST]     RabbitMQ
    memory:                                               within one process

with rediss and amqps for TLS; redis+unix:///PATH and
redis+sentinel://HOST[:PORT][,HOST...]/SERVICE[/DATABASE] for other ways there.
Options can follow it, too: redis://localhost:6379/0?requests_timeout=3
"""


class Options(usage.Options):
    """The flags; each overrides its key in the file."""

    synopsis = "[options]"
    optParameters: ClassVar = [
        ["config", "c", None, "A TOML file; flags override what is in it."],
        ["app", "a", None, "The application, MODULE:OBJECT. [default: a chat to try it out]"],
        ["adapter", None, None, "The URL of the broker that joins several servers. [default: none]"],
        ["path", None, None, "Where Socket.IO lies below the root. [default: /socket.io]"],
        ["client-path", None, None, "A folder with the JavaScript client: the dist/ of npm's socket.io-client."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.listen: list[str] = []
        self.origins: list[str] = []
        self.assignments: list[str] = []

    # Called by Twisted, which shows the docstrings in --help.
    def opt_listen(self, endpoint: str) -> None:
        """An endpoint of Twisted to listen on; can be repeated. [default: tcp:3000]"""
        self.listen.append(endpoint)

    def opt_cors_allowed_origins(self, origin: str) -> None:
        """A site whose pages may connect, or "*" for all; can be repeated. [default: only the server's own]"""
        self.origins.append(origin)

    def opt_set(self, assignment: str) -> None:
        """Any key of [server], NAME=VALUE; can be repeated."""
        self.assignments.append(assignment)

    def getUsage(self, width: int | None = None) -> str:
        # Not `longdesc`: Twisted would run its lines together.
        return f"{super().getUsage(width)}{EXPLANATION}"

    def table(self) -> dict[str, Json]:
        """What was given, in the shape of the file.

        Raises:
            ConfigError: an assignment is none.
        """
        origins = self.origins[0] if len(self.origins) == 1 else self.origins
        server = {"path": self["path"], "client_path": self["client-path"], "cors_allowed_origins": origins}
        server = {name: value for name, value in server.items() if value}
        server |= dict(map(config.parse_assignment, self.assignments))
        adapter = {"url": self["adapter"]} if self["adapter"] else {}
        table = {"app": self["app"], "listen": self.listen, "server": server, "adapter": adapter}
        return {key: value for key, value in table.items() if value}


class CannotStart(SystemExit, Exception):
    """For an Exception twistd tells its parent and removes its files; for a SystemExit Python shows no traceback."""


class TwistdService(SocketIOService):
    """A SocketIOService that is the whole process."""

    # Called by Twisted.
    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            raise CannotStart(str(error)) from error

    def startService(self) -> None:
        super().startService()
        # Twisted's own handler makes twistd end as killed by the signal; a stop that was asked for is a success.
        reactor.callWhenRunning(
            signal.signal, signal.SIGTERM, lambda *_: IReactorFromThreads(reactor).callFromThread(reactor.stop)
        )


# Called by Twisted.
def makeService(options: Options) -> IService:
    try:
        return build(config.load(options["config"], options.table()))
    except ConfigError as error:
        raise SystemExit(f"twistd socketio: {error}") from None


def build(settings: Config) -> IService:
    """The service that a configuration asks for.

    Raises:
        ConfigError: the application cannot be found or used, or an endpoint cannot be understood.
    """
    for description in settings.listen:
        check_endpoint(settings, description)
    if settings.app is None:
        server = make_server(settings)
        demo.Chat(server)
        page = demo.page(server.options.path, server.options.client_path is not None)
        return TwistdService(server, settings.listen, page, "The chat demo")
    return TwistdService(load_server(settings, settings.app), settings.listen, title=settings.app)


def check_endpoint(settings: Config, description: str) -> None:
    """Raises: ConfigError: the description is not one of an endpoint."""
    try:
        serverFromString(reactor, description)
    except Exception as error:  # whatever the plugin of the endpoint's type, or OpenSSL, has to say
        problem = f"{description!r} cannot be used: {error}; allowed is what Twisted knows, like {ENDPOINTS}"
        raise settings.error("listen", problem) from error


def make_server(settings: Config) -> Server:
    """Raises: ConfigError: the options do not go together."""
    try:
        return Server(adapter=settings.adapter or None, **settings.server)
    except OptionError as error:
        raise settings.error("server", str(error)) from error


def load_server(settings: Config, app: str) -> Server:
    """The server that `app` ("module:object") is, or a new one that it has set up.

    Raises:
        ConfigError: there is no such object, or it is of no use.
    """
    target = find(settings, app)
    if isinstance(target, Server):
        for table in ("server", "adapter"):
            if getattr(settings, table):
                raise settings.error("app", f"{app} is a Server with options of its own: [{table}] must be empty")
        return target
    if not callable(target):
        raise settings.error("app", f"{app} is neither a Server nor a callable that takes one")
    server = make_server(settings)
    if target(server) is not None:
        raise settings.error("app", f"{app} must register its handlers and return nothing (it cannot wait)")
    return server


def find(settings: Config, app: str) -> object:
    """The object named by "module:object", with the current directory importable."""
    name, _, path = app.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        target: object = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise settings.error("app", f"no module {name!r} in {os.getcwd()} or on the path of Python") from error
    for attribute in path.split("."):
        if not hasattr(target, attribute):
            raise settings.error("app", f"there is no {attribute!r} in {name}")
        target = getattr(target, attribute)
    return target
