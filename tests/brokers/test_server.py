"""What every broker of the tests does: it lasts, halts, comes back and goes away as it is told."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutput

from tests.brokers.fixtures import running
from tests.brokers.kafka import METADATA, KafkaServer
from tests.brokers.rabbitmq import RabbitMQServer
from tests.brokers.redis import RedisServer
from tests.brokers.server import BrokerServer
from tests.programs import ROOT

pytestmark = pytest.mark.timeout(120)

#: What each of them answers before a client has said who it is.
HELLO = {RedisServer: b"PING\r\n", RabbitMQServer: b"AMQP\0\0\x09\x01", KafkaServer: METADATA}

#: 127.0.0.1 and ::1 as Linux writes them.
LOOPBACK = "0100007F", "00000000000000000000000001000000"

CRASH = """
import os, signal
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from {module} import {kind}

async def crash(_):
    server = {kind}()
    await server.start()
    print(server.folder, *server.pids, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

react(lambda reactor: Deferred.fromCoroutine(crash(reactor)))
"""


@pytest.fixture(scope="module", params=HELLO, ids=lambda kind: kind.__name__)
def broker(request: pytest.FixtureRequest) -> Iterator[BrokerServer]:
    """One of each kind, running before and after each test."""
    with running(request.param) as server:
        yield server


async def test_listens_to_this_machine_only(broker: BrokerServer) -> None:
    """A broker of the tests has no password and may be full of holes; the network does not see it."""
    addresses = listening(broker.pids)
    assert f"{LOOPBACK[0]}:{broker.port:04X}" in addresses
    assert {address.partition(":")[0] for address in addresses} <= {*LOOPBACK}


async def test_frozen_broker_goes_on_where_it_was(broker: BrokerServer) -> None:
    """Its connections stay open, new ones are taken by the system, and nobody is answered until it is thawed."""
    broker.freeze()
    await until(lambda: {state(pid) for pid in broker.pids} == {"T"})
    with socket.create_connection(("127.0.0.1", broker.port)) as connection:
        connection.sendall(HELLO[type(broker)])
        broker.thaw()
        assert await deferToThread(connection.recv, 1)


async def test_stopped_broker_is_gone(broker: BrokerServer) -> None:
    """It leaves neither a process nor a port, and can be started once more."""
    pids = broker.pids
    await broker.stop()
    await until(lambda: not any(map(state, pids)))
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", broker.port))
    await broker.start()


@pytest.mark.parametrize("kind", HELLO)
async def test_broker_ends_with_tests_that_are_killed(kind: type[BrokerServer]) -> None:
    """Nobody is left to end it: the system does."""
    code = CRASH.format(module=kind.__module__, kind=kind.__name__)
    output = await getProcessOutput(sys.executable, ["-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)})
    folder, *pids = output.decode().split()
    shutil.rmtree(folder)
    assert pids
    await until(lambda: not any(map(state, pids)))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await deferLater(reactor, 0.01)


def state(pid: int | str) -> str:
    """The letter that ps shows; nothing when it has ended, whether or not its parent has taken notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0].replace("Z", "")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def listening(pids: list[int]) -> set[str]:
    """The addresses that these processes listen on, as Linux writes them."""
    held = set()
    for file in (file for pid in pids for file in Path(f"/proc/{pid}/fd").iterdir()):
        with suppress(FileNotFoundError):  # it is closed meanwhile
            held.add(os.readlink(file))
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in held}
