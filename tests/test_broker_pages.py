"""The pages about brokers: their links lead to tests, their settings and commands work, their options are accepted."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)
from twisted.internet.threads import deferToThread

from tests.brokers.kafka import KafkaServer
from tests.brokers.rabbitmq import RabbitMQServer
from tests.brokers.redis import RedisServer
from tests.conftest import ROOT
from tests.contract.cluster import Cluster, within
from tests.contract.kinds import RECOVERY, Kind
from txsocketio import Emitter, OptionError, Server
from txsocketio.app.config import load

DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
PAGES = sorted(DOCS.rglob("*.rst"))

CHOOSING = (DOCS / "howto" / "choosing-a-broker.rst").read_text(encoding="utf-8")


def rows(cells: int) -> list[list[str]]:
    """Those of the page that compares brokers which have so many cells."""
    lines = [line.split(" | ") for line in CHOOSING.splitlines() if line.startswith("   ")]
    return [[cell.strip() for cell in line] for line in lines if len(line) == cells]


Start = Callable[..., Awaitable[object]]


def settings(name: str) -> list[str]:
    """The lines of a file of settings, without comments."""
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


# What is written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_tests(page: Path) -> None:
    """What shows a claim is there, by the name that the page gives it."""
    for path, name in re.findall(r":test:`([^:`]+)::([^`]+)`", page.read_text(encoding="utf-8")):
        tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
        functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in functions, f"{path}::{name}"


def test_every_row_of_the_table_is_shown_by_something() -> None:
    """By tests, by the benchmark, or on the page of the broker."""
    shown = dict(rows(2))
    (_, *brokers), *compared = rows(5)
    assert len(brokers) == 4 and len(compared) > 10
    for what, *_ in compared:
        assert any(kind in shown[what] for kind in (":test:`", "``benchmarks/", ":doc:`")), what


@pytest.mark.parametrize("broker", ["redis", "kafka", "rabbitmq"])
def test_configuration_is_accepted(broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table that is shown has options that there are."""
    page = (DOCS / "howto" / f"{broker}.rst").read_text(encoding="utf-8")
    (shown,) = re.findall(r"code-block:: toml\n\n((?:   .*\n|\n)+)", page)
    file = tmp_path / "socketio.toml"
    file.write_text(shown.replace("\n   ", "\n").strip())
    config = load(str(file), {})
    assert config.adapter["url"].partition(":")[0] in {"rediss+sentinel+streams", "kafka", "amqps"}


# Brokers with these settings


async def works(broker: object, url: str, recovers: bool) -> None:
    """Two servers and an emitter are one over this broker; a client comes back to the other server."""
    kind = Kind("manual", lambda *_: url, options=RECOVERY if recovers else {}, settles="+sharded" in url)
    cluster = Cluster(kind, broker)
    one, two = await cluster.start(), await cluster.start()
    try:
        client = await two.client("lobby")
        await within(one.io.to("lobby").emit("crosses", b"\x00"))
        assert [socket.id for socket in await within(one.io.fetch_sockets())] == [client.id]
        await deferToThread(emit, url, recovers)
        await client.got(["crosses", b"\x00"], ["emitted", 1])
        if recovers:
            client.cut()
            await within(one.io.emit("missed"))
            again = await client.back(one)
            await again.got(["crosses", b"\x00"], ["emitted", 1], ["missed"])
    finally:
        await cluster.stop()


def emit(url: str, recovers: bool) -> None:
    emitter = Emitter(url, blocking=True, connection_state_recovery=recovers)
    emitter.to("lobby").emit("emitted", 1)
    emitter.close()


@pytest.mark.parametrize(
    ("scheme", "user", "recovers"),
    [
        ("redis", "classic", False),
        ("redis+sharded", "sharded", False),
        ("redis+streams", "streams", False),
        ("redis+streams", "streams", True),
    ],
)
async def test_redis_serves_with_the_settings_of_the_manual(
    own_redis: Start, scheme: str, user: str, recovers: bool
) -> None:
    """As a user who may do nothing else."""
    redis = await own_redis(*settings("redis.conf"))
    assert isinstance(redis, RedisServer)
    await works(redis, redis.url.replace("redis://", f"{scheme}://{user}:secret@"), recovers)


@pytest.mark.timeout(90)
async def test_rabbitmq_serves_with_the_settings_of_the_manual(own_rabbitmq: Start) -> None:
    """As a user of a virtual host, who may do nothing else."""
    rabbitmq = await own_rabbitmq(*settings("rabbitmq.conf"))
    assert isinstance(rabbitmq, RabbitMQServer)
    for line in settings("rabbitmq-user.sh"):
        command, *arguments = shlex.split(line)
        assert command == "rabbitmqctl"
        assert "rror" not in await rabbitmq.ctl(*arguments)
    for recovers in (False, True):
        await works(rabbitmq, f"amqp://chat:secret@{rabbitmq.address}/chat", recovers)


@pytest.mark.timeout(90)
async def test_kafka_serves_with_the_settings_of_the_manual(own_kafka: Start) -> None:
    """As a user who may do nothing else; on one broker only, for which the numbers of replicas are set to one."""
    alone = [re.sub(r"(replication.factor|insync.replicas)=\d", r"\1=1", line) for line in settings("kafka.properties")]
    authorizer = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    users = {"admin": "admin", "chat": "secret"}
    kafka = await own_kafka(*alone, authorizer, "super.users=User:ANONYMOUS;User:admin", users=users)
    assert isinstance(kafka, KafkaServer)
    await deferToThread(permit, kafka, "chat")
    for recovers in (False, True):
        await works(kafka, f"kafka://chat:secret@{kafka.address}/chat", recovers)


def permit(kafka: KafkaServer, topic: str) -> None:
    admin = KafkaAdminClient(
        bootstrap_servers=kafka.address,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username="admin",
        sasl_plain_password="admin",
    )
    topics = ResourcePattern(ResourceType.TOPIC, topic, ACLResourcePatternType.PREFIXED)
    operations = (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.CREATE)
    admin.create_acls([ACL("User:chat", "*", each, ACLPermissionType.ALLOW, topics) for each in operations])
    admin.close()


# What else is claimed


@pytest.mark.parametrize("scheme", ["redis", "redis+sharded"])
def test_there_is_no_recovery_where_nothing_is_kept(scheme: str) -> None:
    with pytest.raises(OptionError, match=f"needs a broker that keeps a log.*; {re.escape(scheme)} does not"):
        Server(adapter=f"{scheme}://localhost", **RECOVERY)
