"""Fixtures of the tests of adapters."""

from tests.adapters.kafka import make, topic
from tests.adapters.redis_clients import client

__all__ = ["client", "make", "topic"]
