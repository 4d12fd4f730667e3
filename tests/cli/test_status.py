"""`status`: from the agent's files, alive or not."""

import json
import re

import pytest

from edge_agent.cli.exits import Exit
from edge_agent.cli.status import state
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.service.health import LastHealth, health_row, last_health
from edge_agent.storage.database import Database
from edge_agent.storage.inbox import APPLICATION_ID
from edge_agent.storage.migrations import AGENT


def test_a_live_agent_without_an_alarm_is_well(call, live) -> None:
    told = call("status", "--config", live, "--json")
    assert told.code == Exit.OK, told
    (status,) = told.json
    assert status["running"] is True
    assert status["state"].startswith("runs; told ")
    assert status["node"] == "a1"
    assert status["alarms"] == []


def test_the_streams_and_their_numbers_are_told(call, healthy) -> None:
    (status,) = call("status", "--config", healthy, "--json").json
    telemetry = status["streams"]["telemetry"]
    # 36 rounds of two sensors and a shelf, and the first of each
    assert telemetry["last_seq"] == telemetry["rows"] >= 3 * 36
    assert telemetry["waiting"] == 0, "the recorder acknowledged all of it"
    assert status["database_mb"] > 0
    assert len(status["epoch"]) == 6


def test_a_stopped_agent_is_none(call, healthy) -> None:
    told = call("status", "--config", healthy)
    assert told.code == Exit.NO_AGENT
    assert "elm-street/a1  was stopped at 2026-11-23T06:03:0" in told.out
    assert "no alarm stands" in told.out


def test_a_start_is_seen_after_its_first_cycle(call, healthy, elsewhere, simulate) -> None:
    """Also the second one, in which nothing else is urgent."""
    config = elsewhere(healthy)
    seen = []
    simulate(config, 1, lambda: seen.append(call("status", "--config", config, "--json").json[0]["state"]))
    assert seen[0].startswith("gave its last sign of life in an earlier boot"), "the simulated one, and not stopped"


def test_an_alarm_is_told_with_what_to_do(call, faulty) -> None:
    told = call("status", "--config", faulty)
    assert "sensor-cold-room" in told.out
    assert "Check its plug and cable" in told.out
    (status,) = call("status", "--config", faulty, "--json").json
    (alarm,) = status["alarms"]
    assert (alarm["alarm"], alarm["priority"], alarm["state"]) == ("sensor-cold-room", "medium", "unacknowledged")


def test_where_no_agent_ever_ran_there_is_none(call, unused) -> None:
    told = call("status", "--config", unused)
    assert told.code == Exit.NO_AGENT
    assert "agent.db: no such file" in told.err
    assert told.out == ""


def test_the_state_directory_can_be_named(call, healthy, unused) -> None:
    told = call("status", "--config", unused, "--state", healthy.parent / "state", "--json")
    assert told.json[0]["streams"]["telemetry"]["rows"] > 0


@pytest.mark.parametrize("command", ["run", "status", "sensors", "tare"])
def test_a_file_in_the_place_of_the_directory_is_told(call, unused, command) -> None:
    (unused.parent / "state").touch()
    told = call(command, *(("shelf-1",) if command == "tare" else ()), "--config", unused)
    assert told.code == Exit.CONFIG
    assert f"storage.directory = {unused.parent / 'state'}: must be a directory, and a file is there" in told.err


def test_a_damaged_file_is_a_fault_in_words(call, healthy, elsewhere) -> None:
    config = elsewhere(healthy)
    file = config.parent / "state" / "agent.db"
    file.write_bytes(file.read_bytes()[:4096] + b"\xff" * 8192)
    told = call("status", "--config", config)
    assert told.code in (Exit.FAULT, Exit.NO_AGENT)
    assert "agent.db" in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize("tables", [False, True], ids=["of zero bytes", "with tables and no data"])
def test_a_file_that_a_power_cut_left_unbegun_is_told(call, unused, tables) -> None:
    file = unused.parent / "state" / "agent.db"
    file.parent.mkdir()
    file.touch()
    if tables:
        Database.open(file, AGENT, APPLICATION_ID).close()
    told = call("status", "--config", unused)
    assert told.code == Exit.NO_AGENT
    assert re.search(r"agent.db: (is empty|holds nothing yet); the agent begins it when it next runs", told.err)
    assert tables or file.stat().st_size == 0, "looking makes nothing"


HOUR_MS = 3_600_000
TOLD = Instant(mono_ms=HOUR_MS, wall_ms=1_795_417_200_000, boot="b1")


@pytest.mark.parametrize(
    ("later_s", "boot", "is_running", "says"),
    [
        (0, "b1", True, "runs; told 0 s ago"),
        (119, "b1", True, "runs; told 119 s ago"),
        (191, "b1", True, "gives no sign of life since 2026-11-23T07:00:00.000Z"),
        (30, "b1", False, "was stopped at 2026-11-23T07:00:00.000Z"),
        (30, "b2", True, "gave its last sign of life in an earlier boot, at 2026-11-23T07:00:00.000Z"),
    ],
)
def test_an_agent_is_alive_while_its_last_word_holds(later_s, boot, is_running, says) -> None:
    message = Message(Stream.HEALTH, "health", b'{"uptime_s":5}', TOLD, expiry_s=180)
    found = last_health(health_row(message, TOLD, batch_s=10.0, is_running=is_running))
    now = Instant(TOLD.mono_ms + 1000 * later_s, TOLD.wall_ms + 1000 * later_s, boot)
    assert found == LastHealth(TOLD, is_running, 190.0, {"uptime_s": 5})
    assert state(found, now) == says


def test_nothing_said_yet_is_told_so() -> None:
    assert state(None, TOLD) == "has not said anything yet"


@pytest.mark.parametrize("row", [b"", b"{}", b'{"at":{}}', b"[1]", b"\xff", json.dumps({"at": 1}).encode()])
def test_a_row_that_cannot_be_read_raises_what_is_documented(row) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        last_health(row)
