"""Power cuts, as far as a process can die of one: SIGKILL in the middle of anything."""

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from edge_agent.domain.message import Stream

KILLS = 10
WRITER = """
import sys
from pathlib import Path
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Outcome, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

at = Instant(0, 1_795_417_200_000, "boot-1")
store = Store.open(StorageSettings(directory=sys.argv[1]), "node-1", at)
assert store.quarantined is None
n = store.last_seq(Stream.EVENT)
while True:
    n += 1
    at = Instant(n * 1000, 1_795_417_200_000 + n * 1000, "boot-1")
    samples = [Sample(f"p-{k}", at, (Reading(Channel(f"p-{k}", "temperature"), n / 7, at),)) for k in range(8)]
    events = [Message(Stream.EVENT, "event/s", b'{"n":%d}' % n, at)]
    volatile = store.next_volatile(Stream.HEALTH)
    spans = store.commit(samples, events, {"n": b"%d" % n}).spans
    first = spans[Stream.TELEMETRY][0]
    store.mark(Stream.TELEMETRY, range(max(1, first - 20), first), Outcome.ACCEPTED)
    if n % 5 == 0:
        store.housekeeping(at)
    sys.stdout.write(f"{spans[Stream.EVENT][1]} {spans[Stream.TELEMETRY][1]} {volatile}\\n")
    sys.stdout.flush()
"""


def test_what_was_announced_is_there_after_a_kill_and_nothing_is_torn(
    tmp_path: Path, open_store: Any, build: Any
) -> None:
    draw = random.Random(7)
    events = samples = volatile = 0
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        with child:
            assert child.stdout is not None
            for _ in range(draw.randint(1, 60)):
                line = child.stdout.readline()
                assert line, "the writer ended by itself"
                told = [int(word) for word in line.split()]
                assert told[2] > volatile, "a volatile number came twice"
                events, samples, volatile = told
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().splitlines()  # announced before the signal came
        if rest and len(rest[-1].split()) == 3:
            events, samples, volatile = (int(word) for word in rest[-1].split())
        store = open_store(build.at(0))
        last = store.last_seq(Stream.EVENT)
        assert last >= events
        assert store.last_seq(Stream.TELEMETRY) == last * 8 >= samples
        assert store.memory() == {"n": b"%d" % last}, "memory is from the same transaction"
        found = store.pending(Stream.EVENT, 0, 10**6)
        assert [queued.seq for queued in found] == list(range(1, last + 1))
        assert found[-1].content.body == b'{"n":%d}' % last
        waiting = [queued.seq for queued in store.pending(Stream.TELEMETRY, 0, 10**6)]
        assert waiting == sorted(set(waiting))
        assert set(waiting) >= set(range(last * 8 - 7, last * 8 + 1)), "nobody acknowledged the last batch"
        assert store.quarantined is None
        events, samples = last, last * 8
        store._database.close()
