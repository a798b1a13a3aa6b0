"""What a reader of Kafka makes of writers that repeat themselves, and of logs that are not what they were."""

from __future__ import annotations

from collections import namedtuple
from uuid import UUID

import pytest

from txsocketio.adapters.kafka import reader as kafka_reader
from txsocketio.adapters.kafka.reader import WRITER, Following, Gap, Sightings, Start

LOG, OTHER_LOG = UUID(int=1), UUID(int=2)

#: As kafka-python has them.
Raw = namedtuple("Raw", "offset key headers value timestamp")


def raw(offset: int, writer: str | None = None, number: int = 0) -> Raw:
    headers = [(WRITER, writer.encode() + number.to_bytes(8, "big"))] if writer else []
    return Raw(offset, None, headers, b"", 0)


def following(position: int, topic_id: UUID | None = LOG) -> Following:
    return Following("topic", Start(position, position, topic_id), lambda *_: None, lambda _: None)


def test_what_a_writer_repeats_is_dropped() -> None:
    """It did not know that its records were written; others wrote meanwhile."""
    log = following(0)
    written = [raw(0, "a", 1), raw(1, "a", 2), raw(2, "b", 1), raw(3, "a", 1), raw(4, "a", 2), raw(5, "a", 3)]
    assert [record.offset for record in log.take(written)] == [0, 1, 2, 5]
    assert log.sightings.repeated == {3, 4}
    assert log.position == 6


def test_records_of_strangers_are_handed_over() -> None:
    """Who writes without a number does not repeat itself, as far as we know."""
    assert len(following(0).take([raw(0), raw(1)])) == 2


def test_writer_is_known_from_before_the_start() -> None:
    """Reading begins a little before what is handed over."""
    log = Following("topic", Start(0, 2, LOG), lambda *_: None, lambda _: None)
    assert [record.offset for record in log.take([raw(0, "a", 1), raw(1, "a", 2), raw(2, "a", 2), raw(3, "a", 3)])] == [
        3
    ]


def test_writers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start of a node is a new one: memory does not grow with them."""
    monkeypatch.setattr(kafka_reader, "MAX_WRITERS", 2)
    monkeypatch.setattr(kafka_reader, "MAX_REPEATED", 1)
    sightings = Sightings()
    for offset, writer in enumerate("abcbb"):
        sightings.is_new(raw(offset, writer, 1))
    assert sightings.repeated == {4}
    assert sightings.is_new(raw(5, "a", 1))


@pytest.mark.parametrize(
    ("position", "begin", "end", "topic_id", "gap"),
    [
        (5, 0, 10, LOG, None),
        (10, 0, 10, LOG, None),
        (5, 5, 5, LOG, None),
        (5, 7, 10, LOG, Gap(5, 7, LOG, False)),  # retention was faster
        (5, 0, 3, LOG, Gap(5, 3, LOG, False)),  # the brokers have lost the end
        (5, 0, 10, OTHER_LOG, Gap(5, 0, OTHER_LOG, True)),  # deleted and created again
        (5, 0, 3, OTHER_LOG, Gap(5, 0, OTHER_LOG, True)),
        (5, 0, 10, None, None),  # brokers that are too old to say
    ],
)
def test_gaps_are_found(position: int, begin: int, end: int, topic_id: UUID | None, gap: Gap | None) -> None:
    """A reader goes on as near as it can to where it was, and says so."""
    log = following(position)
    assert log.find_gap(begin, end, topic_id) == gap
    assert log.position == (gap.found if gap else position)
    assert log.find_gap(begin, end, topic_id) is None
