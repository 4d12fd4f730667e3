from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Stream
from edge_agent.storage.archive import Archive


@pytest.fixture
def archive(tmp_path: Path, open_store: Any, build: Any) -> Archive:
    """Two boots: the first begins in 1970 and is corrected; between them, a step back of the wall clock."""
    store = open_store()
    first = [Instant(n * 1000, n * 1000, "boot-0", ClockState.UNSYNCED) for n in range(3000)]
    store.commit([build.sample(at, float(at.mono_ms)) for at in first])
    store.correct_clock("boot-0", build.at(0).wall_ms - 10_000_000)
    second = [build.at(n, wall_s=-30 if n > 50 else 0) for n in range(100)]
    store.commit([build.sample(at, float(n)) for n, at in enumerate(second)])
    store.commit([build.sample(build.at(100), 1.0, point="freezer")], memory={"tare": b"1"})
    return Archive.open(tmp_path)


def test_the_whole_history_of_a_channel_comes_in_order_and_nothing_else(archive: Archive) -> None:
    found = list(archive.history("cold-room/temperature"))
    assert len(found) == 3100
    assert [reading.value for reading in found] == [n * 1000.0 for n in range(3000)] + [float(n) for n in range(100)]
    assert {reading.channel.name for reading in found} == {"cold-room/temperature"}
    assert found[0].at.clock is ClockState.CORRECTED


def test_a_window_cuts_by_corrected_wall_time(archive: Archive, build: Any) -> None:
    start = build.at(0).utc
    assert [r.value for r in archive.history("cold-room/humidity", start, start + timedelta(seconds=3))] == [0, 1, 2]
    assert [r.value for r in archive.history("freezer/humidity", start, None)] == [1.0]
    early = start - timedelta(seconds=10_000)
    before = list(archive.history("cold-room/temperature", early, early + timedelta(seconds=2)))
    assert [reading.value for reading in before] == [0.0, 1000.0]
    last = list(archive.history("cold-room/temperature", start + timedelta(seconds=45), start + timedelta(seconds=51)))
    assert [r.value for r in last] == [45, 46, 47, 48, 49, 50, *range(75, 81)], "the hour that came twice"


def test_an_unknown_channel_is_an_error_and_the_known_ones_are_listed(archive: Archive) -> None:
    with pytest.raises(KeyError, match="cold-room/presure"):
        list(archive.history("cold-room/presure"))
    names = ["cold-room/humidity", "cold-room/temperature", "freezer/humidity", "freezer/temperature"]
    assert archive.channels() == names


def test_memory_and_figures_can_be_read_beside_the_running_agent(archive: Archive) -> None:
    assert archive.memory() == {"tare": b"1"}
    stats = archive.stats()
    assert stats.streams[Stream.TELEMETRY].rows == stats.streams[Stream.TELEMETRY].pending == 3101
    assert stats.used_bytes > 0


def test_history_reads_on_while_the_agent_writes(archive: Archive, open_store: Any, build: Any) -> None:
    found = archive.history("cold-room/temperature")
    next(found)
    store = open_store()
    for n in range(20):
        store.commit([build.sample(build.at(200 + n))])
    assert len(list(found)) == 3099
