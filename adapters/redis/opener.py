"""Opening a connection to Redis: Sentinel, TCP or a Unix socket, TLS, AUTH, SELECT, and whether it serves at all."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.protocol import Factory

from txsocketio.adapters.redis.address import Credentials
from txsocketio.adapters.tls import TLS
from txsocketio.engineio.options import Options, option
from txsocketio.errors import BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

    from txsocketio.adapters.redis.address import RedisAddress
    from txsocketio.adapters.redis.connection import RedisConnection

C = TypeVar("C", bound="RedisConnection")

_DURATIONS = ("timeout", "connect_timeout", "probe_interval", "probe_timeout", "reconnect_delay", "max_reconnect_delay")


@dataclass(kw_only=True)
class ConnectionOptions(Options):
    """How connections to Redis are kept.

    Raises:
        OptionError: a value is not allowed.
    """

    timeout: float = option(5.0, "Seconds that Redis has to reply to a command.")
    connect_timeout: float = option(2.0, "Seconds in which a connection to Redis must be made and accepted.")
    probe_interval: float = option(5.0, "Seconds of silence after which Redis is asked for a sign of life.")
    probe_timeout: float = option(2.0, "Seconds that it has to give one; then the connection is lost.")
    reconnect_delay: float = option(0.1, "Seconds until a lost connection is opened again, at most.")
    max_reconnect_delay: float = option(0.5, "Seconds between attempts when these go on failing, at most.")
    max_unanswered: int = option(16_000_000, "Bytes of commands that may wait for the replies of Redis.")
    db: int | None = option(None, "The number of the database, where the URL does not tell it; 0 by default.")
    sentinel_username: str | None = option(None, "As whom to speak to Sentinels.")
    sentinel_password: str | None = option(None, "The password for Sentinels.", is_secret=True)
    ca_file: str | None = option(
        None, "The file with the certificates, in PEM, that vouch for that of Redis; those of the system by default."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _DURATIONS:
            self.require(0 < getattr(self, name) < inf, name, "must be a positive number of seconds")
        self.require(self.max_unanswered > 0, "max_unanswered", "must be a positive number of bytes")


class RedisOpener:
    """Opens connections to one address.

    Args:
        address: where Redis is.
        options: the limits of time, and whom to trust.
        reactor: what connects, and tells the time.
    """

    def __init__(self, address: RedisAddress, options: ConnectionOptions, reactor: IReactorTime) -> None:
        self._address = address
        self._options = options
        self._reactor = reactor
        self._tls = TLS(options.ca_file) if address.tls else None

    def open(self, kind: type[C]) -> Deferred[C]:
        """Fires with a connection that Redis serves; fails when there is none within `connect_timeout`."""
        opening = Deferred.fromCoroutine(self._open(kind))
        return opening.addTimeout(self._options.connect_timeout, self._reactor, _too_late)

    async def _open(self, kind: type[C]) -> C:
        connection = await self._connect(kind, await self._host(kind))
        try:
            await _authenticate(connection, self._address.credentials)
            if db := self._address.db or self._options.db:
                await connection.execute(("SELECT", db))
            await _check_it_serves(connection)
        except BaseException:
            connection.abort("it was not accepted")
            raise
        return connection

    async def _connect(self, kind: type[C], host: tuple[str, int] | None) -> C:
        factory = Factory.forProtocol(lambda: kind(self._reactor, self._options.timeout))
        factory.noisy = False
        connection = cast("C", await self._endpoint(host).connect(factory))
        if self._tls is not None and host is not None:
            try:
                await connection.handshake()
            except BaseException:
                connection.abort("its certificate was not accepted")
                raise
        return connection

    def _endpoint(self, host: tuple[str, int] | None) -> IStreamClientEndpoint:
        timeout = self._options.connect_timeout
        if host is None:
            return UNIXClientEndpoint(self._reactor, self._address.path, timeout=timeout)
        endpoint = HostnameEndpoint(self._reactor, *host, timeout=timeout)
        return self._tls.wrap(endpoint, host[0]) if self._tls else endpoint

    # Where the server is

    async def _host(self, kind: type[RedisConnection]) -> tuple[str, int] | None:
        """Where the server is now; None for a Unix socket. The first Sentinel that knows is believed."""
        hosts = self._address.hosts
        if self._address.service is None:
            return hosts[0] if hosts else None
        asked = [Deferred.fromCoroutine(self._ask(kind, sentinel, self._address.service)) for sentinel in hosts]
        try:
            answer = await DeferredList(asked, fireOnOneCallback=True, consumeErrors=True)
        finally:
            for each in asked:
                each.cancel()
        if isinstance(answer, tuple):
            return answer[0]
        raise BrokerUnavailable("; ".join(sorted({f"Sentinel: {each.getErrorMessage()}" for _, each in answer})))

    async def _ask(self, kind: type[RedisConnection], sentinel: tuple[str, int], service: str) -> tuple[str, int]:
        connection = await self._connect(kind, sentinel)
        try:
            credentials = Credentials(self._options.sentinel_username, self._options.sentinel_password)
            await _authenticate(connection, credentials)
            found = await connection.execute(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service))
        finally:
            connection.abort("it was asked")
        if not found:
            raise BrokerUnavailable(f"it knows no {service}")
        return found[0].decode(), int(found[1])


def _too_late(_: object, timeout: float) -> NoReturn:
    raise BrokerUnavailable(f"no connection within {timeout:g} s")


async def _authenticate(connection: RedisConnection, credentials: Credentials) -> None:
    username, password = credentials.username, credentials.password or ""
    if not username and not password:
        return
    try:
        await connection.execute(("AUTH", username, password) if username else ("AUTH", password))
    except BrokerError as error:
        # A server that has no AUTH repeats the arguments of the command that it does not know.
        raise BrokerError(str(error).replace(password or "\0", "***")) from None


async def _check_it_serves(connection: RedisConnection) -> None:
    await connection.execute(("PING",))  # refused while it loads its data
    try:
        role = await connection.execute(("ROLE",))
    except BrokerError:
        return  # Not everybody may ask.
    if role[0] not in (b"master", "master"):
        raise BrokerUnavailable(f"it is no master but a {role[0].decode()}")
