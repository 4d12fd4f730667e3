"""What of the record is on the disk at once, and what may wait for the batch."""

import pytest

from edge_agent.decide import Memory
from edge_agent.decide.nouns import Decision
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind, RecordLine

AT = Instant(0, 0, "boot-1")


def decision(*kinds: RecordKind) -> Decision:
    return Decision(Memory(), [], [], [], [], [], [], [RecordLine(kind, AT, "cold-room", {}) for kind in kinds])


@pytest.mark.parametrize("kind", RecordKind)
def test_only_intervals_ride_along_with_the_batch(kind: RecordKind) -> None:
    assert decision(kind).is_critical is (kind is not RecordKind.INTERVAL)


def test_an_interval_beside_an_excursion_goes_with_it() -> None:
    assert decision(RecordKind.INTERVAL, RecordKind.EXCURSION_BEGUN).is_critical
    assert not decision(RecordKind.INTERVAL, RecordKind.INTERVAL).is_critical
    assert not decision().is_critical
