"""The RabbitMQ of the tests."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

import pika
import pytest
from twisted.internet.threads import deferToThread

from tests.brokers.rabbitmq import RabbitMQServer

pytestmark = pytest.mark.timeout(120)

Start = Callable[..., Awaitable[RabbitMQServer]]


async def test_shared_rabbitmq_answers(rabbitmq: RabbitMQServer) -> None:
    """It is ready before the first test that uses it."""
    assert await deferToThread(answers, rabbitmq)


async def test_what_was_confirmed_outlives_a_kill(own_rabbitmq: Start) -> None:
    """Adapters may count on a durable queue once RabbitMQ has confirmed the message; with TLS here, which works too."""
    rabbitmq = await own_rabbitmq("heartbeat = 7", tls=True)
    assert rabbitmq.url.startswith("amqps://")
    await deferToThread(publish, rabbitmq)
    await rabbitmq.restart()
    assert await deferToThread(get, rabbitmq) == b"kept"


async def test_rabbitmqctl_reaches_the_node(rabbitmq: RabbitMQServer) -> None:
    """Tests make virtual hosts with it, and raise alarms."""
    assert "guest" in await rabbitmq.ctl("list_users")


def connect(rabbitmq: RabbitMQServer) -> pika.BlockingConnection:
    parameters = pika.URLParameters(rabbitmq.url)
    if rabbitmq.tls:
        context = ssl.create_default_context(cafile=str(rabbitmq.certificate))
        parameters.ssl_options = pika.SSLOptions(context, "127.0.0.1")
    return pika.BlockingConnection(parameters)


def publish(rabbitmq: RabbitMQServer) -> None:
    with connect(rabbitmq) as connection:
        channel = connection.channel()
        channel.queue_declare("lasting", durable=True)
        channel.confirm_delivery()
        channel.basic_publish("", "lasting", b"kept", pika.BasicProperties(delivery_mode=2))


def get(rabbitmq: RabbitMQServer) -> bytes | None:
    with connect(rabbitmq) as connection:
        return connection.channel().basic_get("lasting", auto_ack=True)[2]


def answers(rabbitmq: RabbitMQServer) -> bool:
    with connect(rabbitmq) as connection:
        return connection.channel().is_open
