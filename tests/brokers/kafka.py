"""Kafka."""

from __future__ import annotations

import base64
import os
import socket

from tests.brokers.server import BrokerServer, free_ports
from tests.programs import ROOT

JARS = ".cache/kafka/jars"

JAVA = [
    "java",
    "-Xmx192m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a third less CPU until it is ready
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
]

#: For one node with a small heap that may be killed: the usual session of 9 s would make it wait for that of its former
#: self to end, 12 s in all.
CONFIG = """
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=4194304
controlled.shutdown.enable=false
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
num.network.threads=1
num.io.threads=2
"""

#: A request for the metadata of no topic, version 4: key 3, correlation id 1, no client id.
METADATA = bytes.fromhex("0000000f 0003 0004 00000001 ffff 00000000 00")


class KafkaServer(BrokerServer):
    """A Kafka broker that is its own controller; the topic of a test comes behind its url, with a slash.

    A topic may be without its leader for a moment after the start.

    Args:
        config: lines of server.properties, which come after ours: "log.retention.check.interval.ms=500".
        users: with their passwords, for SASL's mechanism PLAIN; clients need no password when there are none.
    """

    NEEDS = ("java", JARS)

    def __init__(self, *config: str, tls: bool = False, users: dict[str, str] | None = None) -> None:
        super().__init__(tls=tls)
        self._internal_port, self._controller_port = free_ports(2)
        self._config = self.folder / "server.properties"
        self._config.write_text("\n".join([CONFIG, *self._listeners(users or {}), *config]) + "\n")
        self._format()

    @property
    def url(self) -> str:
        return f"kafka://{self.address}"

    def _listeners(self, users: dict[str, str]) -> list[str]:
        addresses = f"CLIENT://{self.address},INTERNAL://127.0.0.1:{self._internal_port}"
        controller = f"127.0.0.1:{self._controller_port}"
        protocol = ("SASL_" if users else "") + ("SSL" if self.tls else "PLAINTEXT")
        return [
            f"log.dirs={self.folder / 'data'}",
            f"listeners={addresses},CONTROLLER://{controller}",
            f"controller.quorum.voters=1@{controller}",
            f"listener.security.protocol.map=CLIENT:{protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
            *(self._passwords(users) if users else []),
            *(self._tls_config() if self.tls else []),
        ]

    def _passwords(self, users: dict[str, str]) -> list[str]:
        known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
        module = f"org.apache.kafka.common.security.plain.PlainLoginModule required {known};"
        client = "listener.name.client"
        return [f"{client}.sasl.enabled.mechanisms=PLAIN", f"{client}.plain.sasl.jaas.config={module}"]

    def _tls_config(self) -> list[str]:
        return ["ssl.keystore.type=PEM", f"ssl.keystore.location={self.certificate}"]

    def _format(self) -> None:
        """What Kafka's own tool writes into the folder of the data, without a second of Java."""
        data = self.folder / "data"
        data.mkdir()
        identity = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        (data / "meta.properties").write_text(f"version=1\nnode.id=1\ncluster.id={identity}\n")

    def _commands(self) -> list[list[str]]:
        return [[*JAVA, "-cp", f"{ROOT / JARS}/*", "kafka.Kafka", str(self._config)]]

    def _is_ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self._internal_port), 1) as connection:
            connection.settimeout(5)
            connection.sendall(METADATA)
            answer = connection.makefile("rb").read(16)
        # Its length, the correlation id and a duration, each 4 bytes, come before the number of brokers.
        return int.from_bytes(answer[12:16], "big") > 0
