"""What the service adds to the record: the clock, the digest; and that a place's lines get there at all."""

import json
from contextlib import closing
from itertools import pairwise

from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Stream
from edge_agent.service.clockwatch import ClockNews
from edge_agent.service.record import clock_line
from edge_agent.storage.chain import Head
from edge_agent.storage.record import HEAD_MIRROR, open_record
from hardware_mocks.clock import SimulatedClock

DAY_S = 86_400
NOW = Instant(5000, 1_795_417_200_000, "boot-1")


def lines(room) -> list:
    with closing(open_record(room.directory)) as record:
        found = list(record.lines())
        assert record.verdict().is_sound
        return found


def of_kind(room, kind: str) -> list:
    return [line for line in lines(room) if line.kind == kind]


def test_a_clock_that_is_where_it_was_is_no_news():
    assert clock_line(ClockNews(), NOW) is None
    line = clock_line(ClockNews(-2500), NOW)
    assert line is not None
    assert line.body == {"what": "stepped", "step_s": -2.5, "clock_boot": "boot-1", "offset_ms": NOW.offset_ms}


def test_a_step_and_a_synchronisation_are_lines_and_date_those_before(room):
    room.clock = SimulatedClock(1_000_000.0, synchronised=False)
    with room.running():
        room.cycle()
        room.clock.step_wall(60)
        room.cycle()
        room.clock.synchronise(1_795_417_200.0)
        room.cycle()
        room.parts.agent.flush(room.parts.watch.now())
        stepped, synced = of_kind(room, "clock")
        assert (stepped.body["what"], stepped.body["step_s"], stepped.is_corrected) == ("stepped", 60, True)
        assert synced.body["what"] == "synchronised"
        assert stepped.at.startswith("1970-01-12")
        assert 0 < synced.wall_ms - stepped.wall_ms < 5000


def test_a_digest_a_day_vouches_for_all_lines_since_the_last_and_lies_in_the_settings_file_too(room):
    with room.running():
        room.cycle()
        room.clock.step_wall(5)
        room.cycle(60)
        for _ in range(3):
            room.cycle(DAY_S)
            room.cycle(DAY_S)
        room.parts.agent.flush(room.parts.watch.now())
        digests = of_kind(room, "digest")
        by_number = {line.number: line for line in lines(room)}
        assert len(digests) >= 1
        assert digests[0].body["first"] == 1
        for earlier, later in pairwise(digests):
            assert later.body["first"] == earlier.body["last"] + 1
        for digest in digests:
            assert by_number[digest.body["last"]].hash == digest.body["head"]
        kept = Head.parsed(room.parts.settings_file.mirrored()[HEAD_MIRROR])
        assert (kept.line, kept.hash) == (digests[-1].body["last"], digests[-1].body["head"])
        assert json.loads(room.parts.store.pending(Stream.RECORD, 0, 1)[0].content.body)["kind"] == "chain"


def test_a_lost_file_is_named_by_the_first_line_of_the_next(room):
    with room.running():
        room.cycle()
        head = Head("k3f9", 812, "ab" * 32)
        room.parts.settings_file.mirror(HEAD_MIRROR, head.written().encode())
    for file in room.directory.glob("agent.db*"):
        file.unlink()
    with room.running():
        room.cycle()
        room.clock.step_wall(5)
        room.cycle()
        room.parts.agent.flush(room.parts.watch.now())
        assert lines(room)[0].body["after"] == {"epoch": "k3f9", "line": 812, "hash": "ab" * 32}


def test_a_settings_file_that_holds_anything_else_keeps_no_agent_from_starting(room, caplog):
    with room.running():
        room.parts.settings_file.mirror(HEAD_MIRROR, b"{")
    with room.running():
        room.cycle()
    assert "record: the settings file holds b'{'" in caplog.text
