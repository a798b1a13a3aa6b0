"""The Kafka of the tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from twisted.internet.threads import deferToThread

from tests.brokers.kafka import KafkaServer

pytestmark = pytest.mark.timeout(120)

Start = Callable[..., Awaitable[KafkaServer]]

TOPIC = "lasting"


async def test_shared_kafka_answers(kafka: KafkaServer) -> None:
    """It is ready before the first test that uses it."""
    await deferToThread(produce, kafka)
    assert await deferToThread(consume, kafka) == b"kept"


async def test_what_was_acknowledged_outlives_a_kill(own_kafka: Start) -> None:
    """Adapters may count on what Kafka has acknowledged; with passwords and TLS here, which work too."""
    kafka = await own_kafka(tls=True, users={"alice": "wonder"})
    login = {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(kafka.certificate),
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "alice",
        "sasl_plain_password": "wonder",
    }
    await deferToThread(produce, kafka, **login)
    await kafka.restart()
    assert await deferToThread(consume, kafka, **login) == b"kept"


def produce(kafka: KafkaServer, **login: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=kafka.address, **login)) as admin:
        admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    with closing(KafkaProducer(bootstrap_servers=kafka.address, **login)) as producer:
        producer.send(TOPIC, b"kept").get(30)


def consume(kafka: KafkaServer, **login: str) -> bytes:
    with closing(KafkaConsumer(bootstrap_servers=kafka.address, **login)) as consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        consumer.seek_to_beginning()
        return next(consumer).value
