"""RabbitMQ."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.utils import getProcessOutput

from tests.brokers.server import BrokerServer, free_ports

#: Debian's commands proper. Those of the same name in the PATH change to the user of the system's RabbitMQ.
COMMANDS = "/usr/lib/rabbitmq/bin"

#: One scheduler that does not spin, and nothing that others could reach.
VM = "-noinput +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"


class RabbitMQServer(BrokerServer):
    """A RabbitMQ node with an epmd of its own, which Erlang otherwise starts for the whole machine and leaves behind.

    A stream is back a moment after the restart; until then its declaration is refused with 404. After the very first
    one was declared a kill may come too early: see `settled`.

    Args:
        config: lines of rabbitmq.conf, which come after ours: "heartbeat = 2".
    """

    NEEDS = (f"{COMMANDS}/rabbitmq-server", "epmd")
    READY = b"Server startup complete"

    def __init__(self, *config: str, tls: bool = False) -> None:
        super().__init__(tls=tls)
        self._distribution_port, self._epmd_port = free_ports(2)
        self._config = self.folder / "rabbitmq.conf"
        self._config.write_text("\n".join([*self._own_config(), *config]) + "\n")
        (self.folder / "enabled_plugins").write_text("[].\n")

    @property
    def url(self) -> str:
        return f"{'amqps' if self.tls else 'amqp'}://guest:guest@{self.address}/%2F"

    async def settled(self) -> None:
        """Wait until it would find its streams again; for a broker on which some have been declared.

        Their coordinator is noted in a table that Erlang leaves unwritten for up to three seconds. Without it RabbitMQ
        3.10 does not start the coordinator again, and says for ever that the home node of its streams is down.
        """
        await self._until(lambda: b"rabbit_stream_coordinator" in self.coordinators.read_bytes())

    @property
    def coordinators(self) -> Path:
        """The file with that table."""
        return self.folder / "data" / "rabbit@localhost" / "coordination" / "rabbit@localhost" / "names.dets"

    async def ctl(self, *arguments: str) -> str:
        """What rabbitmqctl prints for a command; takes a second or two."""
        output: bytes = await getProcessOutput(
            f"{COMMANDS}/rabbitmqctl", ["--quiet", *arguments], env=self._environment(), errortoo=True
        )
        return output.decode().strip()

    def _own_config(self) -> list[str]:
        log = ["log.console = true", "log.file = false"]
        if not self.tls:
            return [*log, f"listeners.tcp.local = {self.address}"]
        files = [f"ssl_options.{file} = {self.certificate}" for file in ("certfile", "keyfile", "cacertfile")]
        return [*log, "listeners.tcp = none", f"listeners.ssl.local = {self.address}", *files]

    def _commands(self) -> list[list[str]]:
        epmd = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        return [epmd, [f"{COMMANDS}/rabbitmq-server"]]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),  # of the cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_ALLOW_INPUT": "1",  # the VM takes the place of the shell script, which would not pass signals on
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self._config),
            "RABBITMQ_CTL_ERL_ARGS": VM,
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": VM,
        }
