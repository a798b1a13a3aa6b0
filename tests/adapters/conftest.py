"""What the tests of adapters share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pytest_twisted import blockon

from tests.adapters.kafka_clients import make_kafka, topic  # noqa: F401 - fixtures
from tests.adapters.redis_clients import Watched


@pytest.fixture
def client() -> Iterator[Callable[..., Watched]]:
    """Makes clients, which are stopped with the test; takes what Watched takes."""
    made: list[Watched] = []

    def make(*arguments: str, **options: object) -> Watched:
        made.append(Watched(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        blockon(each.stop())
