"""Redis."""

from __future__ import annotations

import os

from twisted.internet.utils import getProcessOutput

from tests.brokers.server import BrokerServer

#: The name under which a Sentinel knows the master.
SERVICE = "main"


class RedisServer(BrokerServer):
    """A Redis that keeps everything it has acknowledged when it is killed.

    Args:
        config: lines of redis.conf, which come after ours: "requirepass secret", "appendonly no",
            "user alice on >secret ~* &* +@all".
    """

    NEEDS = ("redis-server",)
    READY = b"eady to accept connections"

    def __init__(self, *config: str, tls: bool = False) -> None:
        super().__init__(tls=tls)
        self.socket = self.folder / "redis.sock"  # speaks without TLS always
        self._config = self.folder / "redis.conf"
        self._config.write_text("\n".join([*self._own_config(), *config]) + "\n")

    @property
    def url(self) -> str:
        return f"{'rediss' if self.tls else 'redis'}://{self.address}"

    async def cli(self, *arguments: str) -> str:
        """What redis-cli prints for a command, as the user that needs no password."""
        output: bytes = await getProcessOutput(
            "redis-cli", ["-s", str(self.socket), *arguments], env=os.environ, errortoo=True
        )
        return output.decode().strip()

    def _own_config(self) -> list[str]:
        files = f"dir {self.folder}\nunixsocket {self.socket}"
        durability = 'save ""\nappendonly yes\nauto-aof-rewrite-percentage 0'
        return [files, durability, "bind 127.0.0.1", *(self._tls_config() if self.tls else [f"port {self.port}"])]

    def _tls_config(self) -> list[str]:
        files = [f"tls-cert-file {self.certificate}", f"tls-key-file {self.certificate}"]
        return ["port 0", f"tls-port {self.port}", *files, "tls-auth-clients no"]

    def _commands(self) -> list[list[str]]:
        return [["redis-server", str(self._config)]]


class RedisSentinel(BrokerServer):
    """A Sentinel that watches a master and its replica, and makes the replica the master soon after it has lost it."""

    NEEDS = RedisServer.NEEDS
    READY = b"+slave slave"

    def __init__(self) -> None:
        super().__init__()
        self.master = RedisServer("repl-diskless-sync-delay 0")
        self.replica = RedisServer(f"replicaof 127.0.0.1 {self.master.port}")
        self._config = self.folder / "sentinel.conf"
        self._config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 2000\n"
        )

    @property
    def url(self) -> str:
        return f"redis+sentinel://{self.address}/{SERVICE}"

    async def start(self) -> None:
        await self.master.start()
        await self.replica.start()
        # A Sentinel asks the master for replicas at once, and again after 10 s only.
        await self.replica.says(b"Finished with success")
        await super().start()

    async def remove(self) -> None:
        await super().remove()
        await self.replica.remove()
        await self.master.remove()

    def _commands(self) -> list[list[str]]:
        return [["redis-server", str(self._config), "--sentinel"]]
