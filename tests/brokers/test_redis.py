"""The Redis of the tests."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable

from twisted.internet.threads import deferToThread

from tests.brokers.redis import RedisSentinel, RedisServer

Start = Callable[..., Awaitable[RedisServer]]


async def test_shared_redis_answers(redis: RedisServer) -> None:
    """It is ready before the first test that uses it."""
    assert await redis.cli("PING") == "PONG"


async def test_what_was_written_outlives_a_kill(own_redis: Start) -> None:
    """Adapters may count on what Redis has acknowledged."""
    redis = await own_redis()
    await redis.cli("XADD", "log", "*", "number", "1")
    await redis.restart()
    assert await redis.cli("XLEN", "log") == "1"


async def test_lines_of_configuration_come_after_ours(own_redis: Start) -> None:
    """Tests set passwords, users and limits."""
    redis = await own_redis("requirepass secret", "user alice on >wonder ~app:* &* +@all", "appendonly no")
    assert "NOAUTH" in await redis.cli("PING")
    assert await redis.cli("--no-auth-warning", "-a", "secret", "CONFIG", "GET", "appendonly") == "appendonly\nno"
    assert await redis.cli("--no-auth-warning", "--user", "alice", "-a", "wonder", "PING") == "PONG"


async def test_sentinel_makes_the_replica_the_master(own_sentinel: Callable[[], Awaitable[RedisSentinel]]) -> None:
    """When the master is killed, who asks the Sentinel is soon told another address."""
    sentinel = await own_sentinel()
    await sentinel.master.kill()
    await sentinel.says(b"+switch-master")
    assert await sentinel.replica.cli("CONFIG", "GET", "replicaof") == "replicaof"


async def test_tls_is_trusted_by_who_has_the_certificate(own_redis: Start) -> None:
    """With TLS, the port takes nothing else."""
    redis = await own_redis(tls=True)
    assert redis.url == f"rediss://127.0.0.1:{redis.port}"
    assert await deferToThread(ping_with_tls, redis) == b"+PONG\r\n"


def ping_with_tls(redis: RedisServer) -> bytes:
    context = ssl.create_default_context(cafile=str(redis.certificate))
    plain = socket.create_connection(("127.0.0.1", redis.port))
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(100)
