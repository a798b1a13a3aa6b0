"""Fixtures of the tests of adapters."""

from tests.adapters.kafka import make, topic

__all__ = ["make", "topic"]
