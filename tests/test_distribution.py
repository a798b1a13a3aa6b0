"""Which tests go to the same process."""

from __future__ import annotations

import pytest

from tests.distribution import unit_of


@pytest.mark.parametrize(
    ("test", "unit"),
    [
        ("tests/failures/test_cuts.py::test_cut[polling-kafka-log-reset]", "tests/failures"),
        ("tests/contract/test_contract.py::test_nodes_are_counted[redis-sharded-static]", "tests/contract redis"),
        ("tests/contract/test_emitter.py::test_all[blocking-rabbitmq-log-binary]", "tests/contract rabbitmq"),
        ("tests/contract/test_recovery.py::test_rivals_are_one[memory-log]", "tests/contract memory"),
        ("tests/adapters/test_kafka_client.py::test_users_and_tls", "tests/adapters kafka"),
        (
            "tests/adapters/test_peer_emitter.py::test_kafka_that_is_frozen_or_restarted",
            "tests/adapters/test_peer_emitter.py",
        ),
        ("tests/protocol/test_frame.py::test_redis[kafka]", "tests/protocol/test_frame.py"),
        ("tests/test_tour.py::test_tour_visits_every_module", "tests/test_tour.py"),
    ],
)
def test_tests_of_one_broker_are_one_unit(test: str, unit: str) -> None:
    """So that it is started once; all others go by files."""
    assert unit_of(test) == unit
