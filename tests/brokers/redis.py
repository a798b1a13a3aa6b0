"""Redis."""

from __future__ import annotations

import os

from twisted.internet.utils import getProcessOutput

from tests.brokers.server import BrokerServer


class RedisServer(BrokerServer):
    """A Redis that keeps everything it has acknowledged when it is killed.

    Args:
        config: lines of redis.conf, which come after ours: "requirepass secret", "appendonly no",
            "user alice on >secret ~* &* +@all".
    """

    NEEDS = ("redis-server",)

    def __init__(self, *config: str, tls: bool = False) -> None:
        super().__init__(tls=tls)
        self.socket = self.folder / "redis.sock"  # speaks without TLS always
        self._config = self.folder / "redis.conf"
        self._config.write_text("\n".join([*self._own_config(), *config]) + "\n")

    @property
    def url(self) -> str:
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}"

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

    def _is_ready(self) -> bool:
        # It listens before it has read its data, and may want a password: what it says is all that we can go by.
        return b"eady to accept connections" in self.log.read_bytes()
