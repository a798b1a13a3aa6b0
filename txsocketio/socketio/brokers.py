"""Finding who connects a server to its broker, by the scheme of a URL.

    Server(adapter="redis://localhost:6379/0?key=chat")
                      |
    resolve() --------'--> the BrokerMaker of the scheme "redis", a Twisted plugin: a file in a folder twisted/plugins/
                                |
                                '--> its factory, imported only now, and the options of the factory's options_class

This file, as the files of the plugins, is imported by every command of twistd: it imports next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl

from twisted.plugin import IPlugin, getPlugins
from zope.interface import Attribute, Interface, implementer

from txsocketio.errors import OptionError
from txsocketio.types import Json

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txsocketio.engineio.options import Options
    from txsocketio.socketio.adapter import Adapter
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server

#: What stands before the first colon of a URL (RFC 3986, section 3.1).
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")

_TRUTH = {"true": True, "1": True, "false": False, "0": False}

#: How the text in a URL becomes the value of an option, by how the option is annotated.
_CONVERSIONS: dict[str, Callable[[str], Json]] = {"int": int, "float": float, "bool": lambda text: _TRUTH[text.lower()]}


class Broker(Protocol):
    """What a server asks of its connection to a broker, which the adapters of all its namespaces share.

    Attributes:
        node: the name of this server among those that the broker joins; no other has it.
        is_available: False while the broker is away, and before it was there: questions fail at once then.
        outages: how often it has been away.
        dropped: how many messages of other servers could not be understood.
        given_up: how many messages of this server the broker has not taken, or has lost.
    """

    node: str
    is_available: bool
    outages: int
    dropped: int
    given_up: int

    def adapter(self, namespace: Namespace) -> Adapter:
        """A new adapter for the namespace; before the start, or at any time after it."""

    def start(self) -> Deferred[None]:
        """Connect.

        Returns:
            Fires when it is connected. It is tried again and again until then. It may be cancelled, and `stop` follows.
        """

    def stop(self) -> Deferred[None]:
        """Fires when everything has been let go, soon also when the broker is away. Another start may follow."""


class HasOptions(Protocol):
    """What is made from a URL, without its query, and options of this class."""

    options_class: type[Options]


class BrokerFactory(HasOptions, Protocol):
    """What makes a `Broker`: its class, nearly always."""

    def __call__(self, server: Server, url: str, options: Json, /) -> Broker: ...


class EmitterFactory(HasOptions, Protocol):
    """What makes the `Outlet` that an `Emitter` sends through, for its arguments of these names."""

    def __call__(self, url: str, options: Json, blocking: bool, connection_state_recovery: bool, /) -> Json: ...


Factory = TypeVar("Factory", bound=HasOptions)


class IBrokerMaker(Interface):
    """A plugin that knows who makes the brokers for some schemes of URLs."""

    schemes: tuple[str, ...] = Attribute("The schemes, in small letters.")

    def load() -> BrokerFactory:
        """Import what makes the broker.

        Raises:
            OptionError: what it needs is not installed.
        """

    def load_emitter() -> EmitterFactory:
        """Import what makes the outlets of emitters.

        Raises:
            OptionError: there is no such thing, or what it needs is not installed.
        """


@implementer(IPlugin, IBrokerMaker)
@dataclass(frozen=True, slots=True)
class BrokerMaker:
    """Names who makes the brokers for some schemes of URLs, and imports it when it is asked for.

    Attributes:
        schemes: in small letters.
        factory: "module:name" of the `BrokerFactory`.
        requires: the modules that it imports and that may not be installed.
        extra: of txsocketio, which installs them.
        emitter: "module:name" of the `EmitterFactory`, if there is one.
    """

    schemes: tuple[str, ...]
    factory: str
    requires: tuple[str, ...] = ()
    extra: str | None = None
    emitter: str | None = None

    def load(self) -> BrokerFactory:
        """See `IBrokerMaker`. An error while something is imported that is there comes as it is."""
        factory: BrokerFactory = self._import(self.factory)
        return factory

    def load_emitter(self) -> EmitterFactory:
        """See `IBrokerMaker`."""
        if self.emitter is None:
            raise OptionError(f"adapter: there is no emitter for {self.schemes[0]}")
        factory: EmitterFactory = self._import(self.emitter)
        return factory

    def _import(self, path: str) -> Json:
        require(self.schemes[0], self.requires, self.extra)
        module, _, name = path.partition(":")
        return getattr(import_module(module), name)


def require(who: str, modules: Iterable[str], extra: str | None) -> None:
    """Raise an OptionError that tells how to install the modules, unless they are there."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        cure = f": pip install 'txsocketio[{extra}]'" if extra else ""
        raise OptionError(f"adapter: {who} needs {', '.join(missing)}, which is not installed{cure}")


@dataclass(slots=True)
class Resolved(Generic[Factory]):
    """Who connects to a broker, and with what."""

    factory: Factory
    url: str
    options: Options


def make_broker(server: Server, adapter: str | Mapping[str, Json]) -> Broker:
    """The broker that the option `adapter` of the server names, not connected yet.

    Raises:
        OptionError: see `resolve`.
    """
    resolved = resolve(adapter)
    return resolved.factory(server, resolved.url, resolved.options)


def resolve(adapter: str | Mapping[str, Json]) -> Resolved[BrokerFactory]:
    """Find out what the option `adapter` means.

    Args:
        adapter: a URL, whose query may hold options; or a table of `url` and options.

    Raises:
        OptionError: nobody is there for the scheme, something is not installed, or an option is not allowed. No text of
            the error comes from where a password may be.
    """
    return _resolve(adapter, lambda maker: maker.load())


def resolve_emitter(adapter: str | Mapping[str, Json]) -> Resolved[EmitterFactory]:
    """The same for an emitter, see `resolve`.

    Raises:
        OptionError: also when there is none for that broker.
    """
    return _resolve(adapter, lambda maker: maker.load_emitter())


def _resolve(adapter: str | Mapping[str, Json], load: Callable[[IBrokerMaker], Factory]) -> Resolved[Factory]:
    table = dict(adapter) if isinstance(adapter, Mapping) else {"url": adapter}
    url, query = _split(table.pop("url", None))
    factory = load(_maker(url))
    annotations = {each.name: _annotation(each.type) for each in fields(factory.options_class)}
    converted = [(name, _converted(name, text, annotations.get(name, "str"))) for name, text in query]
    return Resolved(factory, url, factory.options_class.of(_joined([*converted, *table.items()])))


def _split(url: Json) -> tuple[str, list[tuple[str, str]]]:
    """The URL without its query, and what is in the query."""
    if not isinstance(url, str) or not _SCHEME.match(url):
        raise OptionError("adapter: has to be a URL, like redis://localhost:6379/0")
    url, _, query = url.partition("?")
    path = url.partition("://")[2].partition("/")[2]
    if "#" in url or "#" in query or "@" in path or "@" in query:
        # Else a part of a password would be taken for something else, and shown.
        raise OptionError(
            "adapter: write %23 for #, %2F for /, %3F for ?, %40 for @ in a password, path or option of a URL"
        )
    return url, parse_qsl(query, keep_blank_values=True)


def _maker(url: str) -> IBrokerMaker:
    makers = {scheme: maker for maker in getPlugins(IBrokerMaker) for scheme in maker.schemes}
    scheme = url.partition(":")[0].lower()
    if scheme not in makers:
        near = get_close_matches(scheme, makers, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise OptionError(f"adapter: unknown scheme {scheme!r}; {hint}there are {', '.join(sorted(makers))}")
    return makers[scheme]


def _annotation(annotation: Json) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _converted(name: str, text: str, annotation: str) -> Json:
    kind = annotation.removesuffix(" | None")
    try:
        return _CONVERSIONS.get(kind, str)(text)
    except (ValueError, KeyError):
        raise OptionError(f"adapter: {name} in the URL cannot be taken for {kind}") from None


def _joined(given: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    options: dict[str, Json] = {}
    for name, value in given:
        if options.setdefault(name, value) != value:
            raise OptionError(f"adapter: {name} is given twice, with different values")
    return options
