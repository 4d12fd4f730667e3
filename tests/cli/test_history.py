"""`history`: the CSV gives back the very same readings."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.cli.exits import Exit
from edge_agent.storage.archive import Archive


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("channel", ["cold-room/temperature", "cold-room/humidity", "scale-1/counts", "shelf-1/net"])
def test_values_and_times_survive_the_csv(call, healthy, channel) -> None:
    told = call("history", channel, "--config", healthy)
    stored = list(Archive.open(healthy.parent / "state").history(channel))
    rows = _rows(told.out)
    assert told.code == Exit.OK
    assert len(rows) == len(stored) >= 36
    for row, reading in zip(rows, stored, strict=True):
        assert (float(row["value"]) if row["value"] else None) == reading.value
        assert datetime.fromisoformat(row["at"]) == reading.at.utc
        assert (row["unit"], row["quality"], row["fault"]) == (
            reading.channel.unit,
            reading.quality.value,
            reading.fault or "",
        )


def test_a_bad_reading_has_no_value_and_a_fault(call, faulty) -> None:
    rows = _rows(call("history", "cold-room/temperature", "--config", faulty).out)
    bad = [row for row in rows if row["quality"] == "bad"]
    assert bad
    assert {(row["value"], row["fault"]) for row in bad} == {("", "no-answer")}


def test_since_and_until_bound_the_rows(call, healthy) -> None:
    everything = _rows(call("history", "cold-room/temperature", "--config", healthy).out)
    since, until = everything[10]["at"], everything[20]["at"]
    told = call("history", "cold-room/temperature", "--since", since, "--until", until, "--config", healthy)
    assert _rows(told.out) == everything[10:20]


def test_a_time_without_zone_is_utc(call, healthy) -> None:
    everything = _rows(call("history", "cold-room/temperature", "--config", healthy).out)
    first = datetime.fromisoformat(everything[5]["at"])
    naive = first.astimezone(UTC).replace(tzinfo=None).isoformat()
    east = (first.astimezone(UTC) + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00"
    for text in (naive, east):
        told = call("history", "cold-room/temperature", "--since", text, "--config", healthy)
        assert _rows(told.out) == everything[5:]


def test_json_says_the_same_as_csv(call, healthy) -> None:
    rows = _rows(call("history", "shelf-1/gross", "--config", healthy).out)
    lines = call("history", "shelf-1/gross", "--config", healthy, "--json").json
    assert [{key: "" if value is None else str(value) for key, value in line.items()} for line in lines] == rows


def test_an_unknown_channel_names_those_there_are(call, healthy) -> None:
    told = call("history", "cellar/temperature", "--config", healthy)
    assert told.code == Exit.FAULT
    assert "no channel 'cellar/temperature'; there are: cold-room/humidity, cold-room/temperature" in told.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--since", "yesterday"), "'yesterday' is no ISO time such as 2026-11-23"),
        (("--until", "2026-13-01"), "'2026-13-01' is no ISO time"),
        (("--since", "2026-11-24", "--until", "2026-11-23"), "must be before --until"),
        (("--since", "2026-11-24", "--until", "2026-11-24"), "must be before --until"),
    ],
)
def test_times_that_make_no_sense_are_refused(call, healthy, words, says) -> None:
    told = call("history", "cold-room/temperature", "--config", healthy, *words)
    assert told.code == Exit.USAGE
    assert says in told.err


def test_a_span_without_readings_is_a_header_alone(call, healthy) -> None:
    told = call("history", "cold-room/temperature", "--until", "2001-01-01", "--config", healthy)
    assert (told.code, told.lines) == (Exit.OK, ["at,value,unit,quality,fault,clock"])
