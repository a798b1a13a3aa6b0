"""Redis for programs without a reactor: scripts, Django, Celery. Threads can share an outlet, and so can forks.

The client of the servers, txredisapi, does nothing without a running reactor. This one is the package `redis`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError, TimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from txsocketio.errors import BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from txsocketio.adapters.redis.address import RedisAddress
    from txsocketio.adapters.redis.emitter import Command
    from txsocketio.adapters.redis.opener import ConnectionOptions
    from txsocketio.cluster.messages import Message


class BlockingRedisOutlet:
    """Sends, and returns when Redis has it."""

    def __init__(
        self, address: RedisAddress, options: ConnectionOptions, command: Callable[[str, Message], Command]
    ) -> None:
        self._address = address
        self._command = command
        self._redis = _client(address, options)

    def send(self, namespace: str, message: Message) -> None:
        with self._errors():
            self._redis.execute_command(*self._command(namespace, message))

    def close(self) -> None:
        self._redis.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (ConnectionError, TimeoutError) as error:
            raise BrokerUnavailable(f"Redis at {self._address} is away: {error}") from None
        except RedisError as error:
            raise BrokerError(str(error)) from None


def _client(address: RedisAddress, options: ConnectionOptions) -> Redis:
    settings: dict[str, Any] = {
        "socket_timeout": options.timeout,
        "socket_connect_timeout": options.connect_timeout,
        "retry": Retry(NoBackoff(), 0),  # what has perhaps arrived must not be sent twice
        "protocol": 2,
    }
    if address.tls:
        settings |= {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": options.ca_file}
    whose = {
        "db": address.db or options.db or 0,
        "username": address.credentials.username,
        "password": address.credentials.password,
    }
    if address.service is not None:
        asking = {**settings, "username": options.sentinel_username, "password": options.sentinel_password}
        sentinel = Sentinel(address.hosts, sentinel_kwargs=asking)
        client: Redis = sentinel.master_for(address.service, **settings, **whose)
        return client
    if address.path is not None:
        return Redis(unix_socket_path=address.path, **settings, **whose)
    host, port = address.hosts[0]
    return Redis(host=host, port=port, **settings, **whose)
