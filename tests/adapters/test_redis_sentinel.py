"""A Redis whose address is known to Sentinels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.adapters.redis_clients import OwnRedis, Watched
from tests.brokers.fixtures import owned
from tests.brokers.redis import RedisServer
from tests.brokers.server import BrokerServer
from txsocketio.errors import BrokerUnavailable

Client = Callable[..., Watched]

#: Replaces a master that is silent for half a second.
WATCH = """
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor main 127.0.0.1 {master} {quorum}
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 3000
"""


class SentinelServer(BrokerServer):
    """A Sentinel that watches a Redis under the name "main".

    Args:
        quorum: how many Sentinels have to agree that it is gone.
        config: more lines of its configuration.
    """

    NEEDS = ("redis-server",)

    def __init__(self, master: RedisServer, quorum: int, *config: str) -> None:
        super().__init__()
        lines = WATCH.format(port=self.port, folder=self.folder, master=master.port, quorum=quorum)
        (self.folder / "sentinel.conf").write_text("\n".join([lines, *config]) + "\n")

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/main"

    def _commands(self) -> list[list[str]]:
        return [["redis-server", str(self.folder / "sentinel.conf"), "--sentinel"]]

    def _is_ready(self) -> bool:
        return b"+monitor master main" in self.log.read_bytes()


Sentinel = Callable[..., Awaitable[SentinelServer]]


@pytest.fixture
def sentinel() -> Iterator[Sentinel]:
    """Starts Sentinels; takes what SentinelServer takes."""
    with owned(SentinelServer) as start:
        yield start


@pytest.mark.timeout(60)
async def test_replica_takes_over(own_redis: OwnRedis, sentinel: Sentinel, client: Client) -> None:
    """Both connections move to it, with all subscriptions; the old master, back as a replica, is left alone."""
    master = await own_redis()
    replica = await own_redis(f"replicaof 127.0.0.1 {master.port}", "repl-diskless-sync-delay 0")
    sentinels = [await sentinel(master, 2) for _ in range(3)]
    hosts = ",".join(f"127.0.0.1:{each.port}" for each in sentinels)
    ours = client(f"redis+sentinel://{hosts}/main")
    await ours.start()
    await ours.subscribe(b"a")
    await ours.has_told("ready")
    await ours.execute("SET", "key", "value")
    assert await master.cli("WAIT", "1", "10000") == "1"
    await wait_until_known(sentinels[0], b"+slave", b"+sentinel")
    await master.kill()
    await ours.has_told("lost")
    await ours.has_told("ready")
    assert await ours.execute("CONFIG", "GET", "port") == [b"port", str(replica.port).encode()]
    assert await ours.execute("GET", "key") == b"value"
    assert await ours.execute("PUBLISH", "a", "1") == 1
    assert await ours.messages(1) == [(None, b"a", b"1")]


async def test_first_sentinel_that_knows_is_believed(own_redis: OwnRedis, sentinel: Sentinel, client: Client) -> None:
    """One may be away, one frozen, and one may know another service only."""
    master = await own_redis("requirepass secret")
    away, frozen, there = [await sentinel(master, 1, "sentinel auth-pass main secret") for _ in range(3)]
    await away.kill()
    frozen.freeze()
    hosts = ",".join(f"127.0.0.1:{each.port}" for each in (away, frozen, there))
    ours = client(f"redis+sentinel://:secret@{hosts}/main/3")
    await ours.start()
    await ours.execute("SET", "key", "value")
    assert await master.cli("--no-auth-warning", "-a", "secret", "-n", "3", "EXISTS", "key") == "1"
    frozen.thaw()


async def test_sentinel_may_want_a_password_of_its_own(own_redis: OwnRedis, sentinel: Sentinel, client: Client) -> None:
    """Which is told when it is wrong, and so is a service that it does not know."""
    master = await own_redis()
    guarded = await sentinel(master, 1, "user default off", "user us on >hush +sentinel|get-master-addr-by-name")
    await client(guarded.url, sentinel_username="us", sentinel_password="hush").start()
    with pytest.raises(BrokerUnavailable, match="WRONGPASS") as caught:
        await client(guarded.url, sentinel_username="us", sentinel_password="guess").start(timeout=0.5)
    assert "guess" not in str(caught.value)
    with pytest.raises(BrokerUnavailable, match="knows no other"):
        await client(guarded.url.replace("main", "other"), sentinel_username="us", sentinel_password="hush").start(
            timeout=0.5
        )


async def wait_until_known(sentinel: SentinelServer, *events: bytes) -> None:
    """Until the Sentinel has logged all of these."""
    while not all(each in sentinel.log.read_bytes() for each in events):
        await deferLater(reactor, 0.05)
