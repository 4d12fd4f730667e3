from threading import Thread
from typing import Any

from edge_agent.domain.message import Outcome, Stream

BATCHES, ROWS = 150, 20


def test_a_publisher_drains_while_the_cycle_commits_and_each_row_is_taken_once(open_store: Any, build: Any) -> None:
    store = open_store()
    taken: list[int] = []
    faults: list[BaseException] = []

    def publish() -> None:
        try:
            while len(taken) < BATCHES * ROWS:
                rows = store.pending(Stream.TELEMETRY, 0, 50)
                seqs = [queued.seq for queued in rows]
                for queued in rows:
                    assert queued.content.readings[0].value == queued.at.mono_ms / 1000 / 7
                store.mark(Stream.TELEMETRY, seqs, Outcome.ACCEPTED)
                taken.extend(seqs)
                store.newest_older_than(Stream.TELEMETRY, "boot-1", 50_000)
                store.backlog(Stream.EVENT)
                store.stats()
        except BaseException as error:
            faults.append(error)
            raise

    thread = Thread(target=publish, daemon=True)
    thread.start()
    for n in range(BATCHES):
        at = build.at(n)
        store.commit([build.sample(at, at.mono_ms / 1000 / 7, f"p-{n}") for _ in range(ROWS)], [build.event(at)])
        store.housekeeping(at)
    thread.join(30)
    assert not thread.is_alive()
    assert faults == []
    assert taken == list(range(1, BATCHES * ROWS + 1))
    store.close()
    assert open_store().backlog(Stream.TELEMETRY).count == 0
