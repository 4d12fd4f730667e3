"""A second process reads while the agent commits: each look sees one state of the file, never two halves."""

import threading

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.storage.archive import Archive
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

POINTS = 150


def _sample(number: int) -> Sample:
    """Each of a point of its own, and of a clock that has stepped since: new rows in every table a sample refers to."""
    at = Instant(1000 * number, 1_795_417_200_000 + 5000 * number, "b")
    return Sample(f"point-{number}", at, (Reading(Channel(f"point-{number}", "temperature"), 4.0, at),))


def test_new_points_and_clocks_are_seen_whole(tmp_path) -> None:
    store = Store.open(StorageSettings(directory=str(tmp_path)), "a1", _sample(0).at)
    archive = Archive.open(tmp_path)

    def write() -> None:
        for number in range(POINTS):
            store.commit([_sample(number)])

    writer = threading.Thread(target=write)
    writer.start()
    looks = []
    try:
        while writer.is_alive():
            looks.append(len(archive.channels()))
            looks.append(sum(found.rows for found in archive.stats().streams.values()))
    finally:
        writer.join()
        store.close()
    assert looks[-1] <= POINTS
    assert looks == sorted(looks)
    assert len(archive.channels()) == POINTS
