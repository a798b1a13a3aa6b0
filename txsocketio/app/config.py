"""The configuration of `twistd socketio`: a TOML file, and the flags that override it.

       chat.toml          app, listen, [server], [adapter]  --.
                                                               >-- load() -- Config -- service.py
       the command line   the same keys                     --'

Both are checked key by key before they are joined, so that an error names the place where the value was written. Only
what is in [adapter] is checked behind that, since the URL of the command line says which options there are.
Nothing here starts anything, or imports more than what makes the broker.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from txsocketio.errors import ConfigError, OptionError
from txsocketio.socketio.brokers import resolve
from txsocketio.socketio.options import ServerOptions
from txsocketio.types import Json

DEFAULT_LISTEN = ("tcp:3000",)
COMMAND_LINE = "command line"

_KEYS = ("app", "listen", "server", "adapter")
_APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(slots=True)
class Config:
    """What `twistd socketio` is to run.

    Attributes:
        app: "module:object", or None for the chat demo.
        listen: descriptions of Twisted endpoints.
        server: options of the server, checked.
        adapter: the URL of a broker and options of that, checked; empty for a server alone.
        sources: for each key that was set, the file or the command line.
    """

    app: str | None = None
    listen: tuple[str, ...] = DEFAULT_LISTEN
    server: dict[str, Json] = field(default_factory=dict)
    adapter: dict[str, Json] = field(default_factory=dict, repr=False)  # there may be a password in it
    sources: dict[str, str] = field(default_factory=dict)

    def error(self, key: str, problem: str) -> ConfigError:
        """An error about the value of `key`, wherever it was written."""
        return ConfigError(self.sources.get(key, "default"), key, problem)


def load(path: str | None, flags: Mapping[str, Json]) -> Config:
    """The configuration in the file at `path`, overridden by `flags`, which have the shape of such a file.

    Raises:
        ConfigError: a file, key or value that cannot be used.
    """
    config = Config()
    if path is not None:
        _add(config, path, read(path))
    _add(config, COMMAND_LINE, flags)
    if "adapter" in config.sources:
        _check_adapter(config)
    return config


def read(path: str) -> dict[str, Json]:
    """The tables of a TOML file.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(path, None, error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, None, f"not TOML: {error}") from error


def parse_assignment(text: str) -> tuple[str, Json]:
    """The name and the value in "name=value"; what is no TOML value is taken as text.

    Raises:
        ConfigError: there is no name.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals):
        raise ConfigError(COMMAND_LINE, "--set", f"{text!r} is not NAME=VALUE, like ping_interval=10")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def _add(config: Config, source: str, table: Mapping[str, Json]) -> None:
    for key, value in table.items():
        _check(source, key, value)
        if key == "app":
            config.app = value
        elif key == "listen":
            config.listen = tuple(value)
        else:
            getattr(config, key).update(value)
            config.sources |= {f"[{key}] {name}": source for name in value}
        config.sources[key] = source


def _check(source: str, key: str, value: Json) -> None:
    if key not in _KEYS:
        raise ConfigError(source, key, _unknown(key))
    if key == "app" and not (isinstance(value, str) and _APP.fullmatch(value)):
        raise ConfigError(source, key, f'{value!r} is not "module:object"')
    if key == "listen" and not _is_list_of_text(value):
        raise ConfigError(source, key, f'{value!r} is not a list of endpoints, like ["tcp:3000"]')
    if key in ("server", "adapter") and not isinstance(value, dict):
        raise ConfigError(source, key, f"has to be a table: [{key}]")
    if key == "server":
        _check_server(source, value)


def _check_server(source: str, options: dict[str, Json]) -> None:
    if "adapter" in options:
        raise ConfigError(source, "[server]", "adapter has a table of its own: [adapter]")
    for name, value in options.items():
        try:
            ServerOptions.of({name: value})
        except OptionError as error:
            raise ConfigError(source, "[server]", str(error)) from error


def _check_adapter(config: Config) -> None:
    if "url" not in config.adapter:
        raise config.error("adapter", "url is missing, like redis://localhost:6379/0")
    try:
        resolve(config.adapter)
    except OptionError as error:
        problem = str(error)
        raise ConfigError(_source(config, problem), "[adapter]", problem.removeprefix("adapter: ")) from error


def _source(config: Config, problem: str) -> str:
    """Where [adapter] was written, or only its URL if that alone has the same problem."""
    sources = {name: config.sources[f"[adapter] {name}"] for name in config.adapter}
    try:
        resolve(config.adapter["url"])
    except OptionError as error:
        if str(error) == problem:
            return sources["url"]
    return next(source for name, source in sources.items() if name != "url")


def _is_list_of_text(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)


def _unknown(key: str) -> str:
    if key in ServerOptions.__dataclass_fields__:
        return "belongs in the table [server]"
    nearest = get_close_matches(key, _KEYS, 1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"allowed are {', '.join(_KEYS)}"
    return f"unknown; {hint}"
