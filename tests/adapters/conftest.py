"""What the tests of adapters share."""

from tests.adapters.kafka_clients import make_kafka, topic
from tests.adapters.redis_clients import client

__all__ = ["client", "make_kafka", "topic"]
