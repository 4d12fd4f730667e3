"""`replay`: a recording through the whole agent, as a person plays it."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.cli.exits import Exit

CONFIG = """
[node]
site = "replay"
name = "mine"

[board]
kind = "replay"
missing = ["###"]

[[board.source]]
sensor = "cold-room"
quantity = "temperature"
column = "temp"

[[board.source]]
sensor = "scale"
quantity = "weight"
column = "weight"

[[sensor]]
name = "cold-room"
driver = "ds18b20"
device = "28-000000000001"

[[sensor]]
name = "scale"
driver = "nau7802"

[[shelf]]
name = "shelf-1"
capacity_g = 40_000.0
cells = [{ sensor = "scale", zero_counts = 84_000, counts_per_gram = 100.0 }]
"""

TRACE = """\
time,temp,weight
2026-11-23 06:00:00,4.0,12400
2026-11-23 06:01:00,###,12400
2026-11-23 06:02:00,4.25,
2026-11-23 06:03:00,4.5..,8350
23 November,4.5,8350
2026-11-23 06:04:00,4.5
2026-11-23 06:05:00,4.75,8350
"""


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "replay.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def trace(tmp_path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(TRACE)
    return path


def _temperatures(messages: list[dict]) -> list[tuple[str, float | None, str, str | None]]:
    told = [m["payload"] for m in messages if m["topic"].endswith("telemetry/cold-room")]
    readings = [(payload["ts"], payload["readings"]["temperature_c"]) for payload in told]
    return [(ts[11:16], r["value"], r["quality"], r.get("fault")) for ts, r in readings]


DUE = [
    ("06:00", 4.0, "good", None),
    ("06:01", None, "bad", "checksum"),
    ("06:02", 4.25, "good", None),
    ("06:03", None, "bad", "checksum"),
    ("06:05", 4.75, "good", None),
]


def test_every_row_comes_out_and_a_dirty_cell_is_a_fault(call, config, trace) -> None:
    told = call("replay", config, "--trace", trace, "--out", "-")
    assert told.code == Exit.OK, told
    assert _temperatures(told.json) == DUE
    assert set(told.json[0]) == {"at", "topic", "qos", "retain", "payload"}


def test_rows_that_cannot_be_read_are_set_aside_aloud(call, config, trace) -> None:
    told = call("replay", config, "--trace", trace, "--out", "-")
    assert "set aside: trace.csv, line 6: stamp '23 November' is not of the form" in told.err
    assert "set aside: trace.csv, line 7: 2 cells instead of 3" in told.err


def test_a_file_takes_the_messages_and_standard_output_stays_empty(call, config, trace, tmp_path) -> None:
    out = tmp_path / "messages.jsonl"
    told = call("replay", config, "--trace", trace, "--out", out, "--json", "--quiet")
    assert told.out == ""
    messages = [json.loads(line) for line in out.read_text().splitlines()]
    assert _temperatures(messages) == DUE
    summary = json.loads(told.err)
    assert (summary["moments"], summary["set_aside"], summary["messages"]) == (5, 2, len(messages))


def test_the_files_can_be_kept_and_read_afterwards(call, config, trace, tmp_path) -> None:
    state = tmp_path / "kept"
    call("replay", config, "--trace", trace, "--out", tmp_path / "out", "--state", state)
    told = call("history", "shelf-1/net", "--config", config, "--state", state, "--json")
    assert [line["value"] for line in told.json] == [12400.0, 12400.0, None, 8350.0, 8350.0]


def test_two_files_are_played_one_after_another(call, config, tmp_path) -> None:
    for name, hour in (("late", 8), ("early", 7)):
        (tmp_path / name).write_text(f"time,temp,weight\n2026-11-23 0{hour}:00:00,{hour},0\n")
    told = call("replay", config, "--trace", tmp_path / "late", "--trace", tmp_path / "early", "--quiet")
    assert [value for _, value, _, _ in _temperatures(told.json)] == [7.0, 8.0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        ("", "is empty"),
        ("time,temp,weight\n", "no rows below the header"),
        ("time,temp,wieght\n2026-11-23 06:00:00,4,5\n", "no column 'weight' (nearest: 'wieght')"),
        ("time,temp,weight\nx,4,5\n", "no usable row among 1"),
    ],
)
def test_a_trace_that_cannot_be_played_has_its_own_code(call, config, tmp_path, content, says) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_text(content)
    told = call("replay", config, "--trace", path)
    assert told.code == Exit.BAD_TRACE
    assert says in told.err
    assert "bad.csv" in told.err


def test_a_configuration_that_plays_nothing_is_refused(call, healthy, trace) -> None:
    told = call("replay", healthy, "--trace", trace)
    assert told.code == Exit.BAD_TRACE
    assert 'board.kind = "simulated": must be "replay"' in told.err


def test_without_a_trace_it_says_how_to_give_one(call, config) -> None:
    told = call("replay", config)
    assert told.code == Exit.BAD_TRACE
    assert "--trace FILE" in told.err


def test_a_file_that_cannot_be_written_is_named(call, config, trace, tmp_path) -> None:
    told = call("replay", config, "--trace", trace, "--out", tmp_path / "nowhere" / "x.jsonl")
    assert told.code == Exit.USAGE
    assert "x.jsonl: No such file or directory" in told.err


def test_a_reader_that_goes_away_is_no_fault(config, tmp_path) -> None:
    path = tmp_path / "long.csv"
    rows = (f"2026-11-23 {n // 60:02d}:{n % 60:02d}:00,4.{n % 10},12400\n" for n in range(600))
    path.write_text("time,temp,weight\n" + "".join(rows))
    command = [sys.executable, "-m", "edge_agent.cli.main", "replay", str(config), "--trace", str(path), "-q"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == Exit.OK, err
    assert err == b""


@pytest.mark.parametrize("way", ["itself", "a link", "as configured"])
def test_the_recording_is_never_written_over(call, config, trace, tmp_path, way) -> None:
    out, words = trace, ("--trace", trace)
    if way == "a link":
        out = tmp_path / "link.csv"
        out.hardlink_to(trace)
    elif way == "as configured":
        config.write_text(config.read_text().replace('missing = ["###"]', f'missing = ["###"]\ntrace = "{trace}"'))
        words = ()
    told = call("replay", config, *words, "--out", out)
    assert told.code == Exit.USAGE
    assert f"--out {out}: is the recording {trace} itself" in told.err
    assert trace.read_text() == TRACE


def test_a_trace_that_cannot_be_played_leaves_the_file_of_the_messages_alone(call, config, tmp_path) -> None:
    out = tmp_path / "messages.jsonl"
    out.write_text("of yesterday")
    assert call("replay", config, "--trace", tmp_path / "none.csv", "--out", out).code == Exit.BAD_TRACE
    assert out.read_text() == "of yesterday"


def test_a_trace_given_twice_is_refused(call, config, trace) -> None:
    told = call("replay", config, "--trace", trace, "--trace", trace)
    assert told.code == Exit.BAD_TRACE
    assert "is named twice" in told.err


@pytest.mark.parametrize("words", [("--out", "/dev/full"), ()], ids=["--out", "standard output"])
def test_a_full_disk_is_told_in_one_line(config, trace, words) -> None:
    command = [sys.executable, "-m", "edge_agent.cli.main", "replay", str(config), "--trace", str(trace), "-q", *words]
    with open("/dev/full", "wb") as full:
        told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert told.returncode == Exit.FAULT
    assert told.stderr == f"edge-agent: {' '.join(words) or 'standard output'}: No space left on device\n"


def test_what_the_board_refuses_the_check_tells_by_line(call, config, trace) -> None:
    config.write_text(config.read_text().replace('"temperature"', '"counts"'))
    checked, played = call("config", "check", config), call("replay", config, "--trace", trace)
    assert (checked.code, played.code) == (Exit.CONFIG, Exit.CONFIG)
    assert checked.lines[0] in played.err
    assert 'line 12: board.source "cold-room": quantity = "counts": must be what cold-room measures' in played.err


def test_a_file_where_the_state_is_to_be_is_told(call, config, trace) -> None:
    told = call("replay", config, "--trace", trace, "--state", trace)
    assert told.code == Exit.USAGE
    assert "trace.csv: must be a directory, and a file is there" in told.err


def test_the_log_is_as_loud_afterwards_as_before(call, config, trace) -> None:
    before = logging.getLogger("hardware_mocks.replay_board").level
    call("replay", config, "--trace", trace, "--quiet")
    assert logging.getLogger("hardware_mocks.replay_board").level == before
