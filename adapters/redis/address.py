"""Where a Redis is, and as whom to speak to it: the URLs of adapters.

::

    redis://user:password@host:6379/0               rediss://...            over TLS
    redis+unix:///run/redis.sock                    redis+unix://user:password@/run/redis.sock
    redis+sentinel://user:password@host1:26379,host2:26379/service/0

The kind of adapter stands in the scheme too and means nothing here: redis+streams://, rediss+sentinel+sharded://.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

from txsocketio.errors import OptionError

PORT, SENTINEL_PORT = 6379, 26379

_URL = re.compile(
    r"(?P<base>rediss?)(?P<words>(?:\+[a-z]+)*)://"
    r"(?:(?P<credentials>[^/]*)@)?(?P<hosts>[^/?#@]*)(?P<path>/[^?#]*)?"
)
_HOST = re.compile(r"(?:\[(?P<literal>[0-9a-fA-F:.%]+)\]|(?P<name>[^\[\]:,\s]+))(?::(?P<port>\d{1,5}))?")

#: What may stand behind "redis" in the scheme: kinds of adapters, and how the server is found.
_KINDS, _FORMS = {"streams", "sharded"}, {"unix", "sentinel"}


@dataclass(frozen=True)
class Credentials:
    """As whom to speak to a server. A password without a user is that of the user "default"."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class RedisAddress:
    """Where a Redis is.

    Attributes:
        hosts: names and ports: the server, or the Sentinels to be asked for it. None with a Unix socket.
        path: of the Unix socket.
        service: the name under which Sentinels know the server.
        db: the number of the database; None if it is not told.
        tls: whether all connections, those to Sentinels too, are encrypted and the other end's certificate is checked.
        credentials: for the server.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    service: str | None = None
    db: int | None = None
    tls: bool = False
    credentials: Credentials = Credentials()

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address that a URL tells. User, password and path may be percent-encoded.

        Raises:
            OptionError: it is no such URL; the error does not repeat it, for it may contain a password.
        """
        match = _URL.fullmatch(url)
        words = set(match["words"].split("+")[1:]) if match else set()
        if match is None or words - _KINDS - _FORMS or len(words & _FORMS) > 1 or len(words & _KINDS) > 1:
            raise OptionError("the URL of a Redis looks like redis://user:password@host:6379/0")
        path = unquote(match["path"] or "")
        tls = match["base"] == "rediss"
        credentials = _credentials(match["credentials"])
        if "unix" in words:
            if match["hosts"] or not path or tls:
                raise OptionError("the URL of a Redis on a Unix socket looks like redis+unix:///run/redis.sock")
            return cls(path=path, credentials=credentials)
        if "sentinel" in words:
            service, _, db = path[1:].partition("/")
            if not service:
                raise OptionError(
                    "the URL of a Redis behind Sentinels looks like redis+sentinel://host:26379/service/0"
                )
            hosts = tuple(_host(each, SENTINEL_PORT) for each in match["hosts"].split(","))
            return cls(hosts=hosts, service=service, db=_number(db), tls=tls, credentials=credentials)
        host = _host(match["hosts"] or "localhost", PORT)
        return cls(hosts=(host,), db=_number(path[1:]), tls=tls, credentials=credentials)

    def __str__(self) -> str:
        """What the log may show."""
        if self.path is not None:
            return self.path
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.service} of {hosts}" if self.service else hosts


def _credentials(text: str | None) -> Credentials:
    username, _, password = (text or "").partition(":")
    return Credentials(unquote(username) or None, unquote(password) if text and ":" in text else None)


def _host(text: str, default_port: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = int(match["port"] or default_port) if match else 0
    if match is None or not 0 < port < 65536:
        raise OptionError(f"the host of a Redis is a name and a port, not {text!r}")
    return match["literal"] or unquote(match["name"]), port


def _number(text: str) -> int | None:
    if text and not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise OptionError(f"the database of a Redis is a number, not {text!r}")
    return int(text) if text else None
