"""`report haccp` and `record verify`, as an inspector's helper calls them."""

import csv
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.cli.exits import Exit
from edge_agent.config import load
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.mqtt import messages
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

BEGIN_MS = 1_793_487_600_000  # 2026-11-01 00:00 in Berlin
QUARTER_MS = 900_000
BERLIN = ("--timezone", "Europe/Berlin")
NOVEMBER = ("--from", "2026-11-01", "--to", "2026-11-30", *BERLIN)


def at(quarter: float) -> Instant:
    ms = round(quarter * QUARTER_MS)
    return Instant(10**9 + ms, BEGIN_MS + ms, "boot-1")


def lines(quarters: int) -> Iterator[RecordLine]:
    for quarter in range(1, quarters + 1):
        for place in ("cold-room", "freezer"):
            figures = {"from": at(quarter - 1).rfc3339(), "readings": 90, "raw_c": [1, 2, quarter]}
            yield RecordLine(RecordKind.INTERVAL, at(quarter), place, figures)


@pytest.fixture
def kept(unused: Path) -> Path:
    """The configuration of an agent with two days of two places, stopped."""
    store = Store.open(StorageSettings(directory=load(unused).storage.directory), "a1", at(0))
    store.commit(messages=[messages.record(line) for line in lines(192)])
    store.close()
    return unused


def tamper(config: Path, statement: str) -> None:
    with closing(sqlite3.connect(Path(load(config).storage.directory) / "agent.db")) as database:
        database.execute(statement)
        database.commit()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_day_is_the_local_one_and_whole(call, kept):
    told = call("report", "haccp", "--csv", "--from", "2026-11-01", "--to", "2026-11-01", *BERLIN, "--config", kept)
    assert told.code == Exit.OK
    intervals = [row for row in rows(told.out) if row["kind"] == "interval"]
    assert len(intervals) == 2 * 96
    assert (intervals[0]["from_utc"], intervals[-1]["local"]) == ("2026-10-31 23:00:00", "2026-11-02 00:00:00 +01:00")


def test_a_moment_is_utc_unless_it_says_otherwise(call, kept):
    told = call(
        *("report", "haccp", "--csv", "--from", "2026-11-01T00:00", "--to", "2026-11-01T03:00+01:00", "--config", kept)
    )
    assert {row["utc"][11:] for row in rows(told.out) if row["kind"] == "interval"} == {
        *("00:15:00", "00:30:00", "00:45:00", "01:00:00"),
        *("01:15:00", "01:30:00", "01:45:00", "02:00:00"),
    }


def test_one_place_alone_and_the_same_as_json(call, kept):
    words = ("report", "haccp", *NOVEMBER, "--place", "freezer", "--config", kept)
    table = [row for row in rows(call(*words, "--csv").out) if row["kind"] == "interval"]
    told = [line for line in call(*words, "--json").json if line["kind"] == "interval"]
    assert {row["place"] for row in table} == {"freezer"}
    assert [(row["line"], row["hash"]) for row in table] == [(str(line["line"]), line["hash"]) for line in told]
    assert len(table) == 192


def test_a_page_goes_into_a_file_or_a_folder(call, kept, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    call("report", "haccp", "--html", *NOVEMBER, "--out", out, "--config", kept)
    call("report", "haccp", "--html", *NOVEMBER, "--out", out / "mine.html", "--config", kept)
    named = out / "haccp-elm-street-a1-2026-11-01-2026-11-30.html"
    assert sorted(out.iterdir()) == [named, out / "mine.html"]
    assert "<h2>cold-room</h2>" in named.read_text("utf-8")
    assert "385 lines were" in named.read_text("utf-8")


def test_where_nothing_can_be_written_says_so(call, kept, tmp_path):
    told = call("report", "haccp", "--csv", *NOVEMBER, "--out", tmp_path / "no" / "such.csv", "--config", kept)
    assert (told.code, "no/such.csv: No such file or directory" in told.err) == (Exit.FAULT, True)


def test_the_report_of_a_broken_chain_is_made_and_says_where(call, kept, tmp_path):
    tamper(kept, "DELETE FROM outbox_record WHERE seq = 40")
    out = tmp_path / "page.html"
    told = call("report", "haccp", "--html", *NOVEMBER, "--out", out, "--config", kept)
    assert (told.code, told.err) == (Exit.FAULT, "edge-agent: agent.db: removed: line 40 is missing\n")
    assert "agent.db: removed: line 40 is missing" in out.read_text("utf-8")


def test_a_whole_chain_is_told_with_its_head(call, kept):
    told = call("record", "verify", "--config", kept)
    (line, head) = told.out.splitlines()
    assert told.code == Exit.OK
    assert line == "385 lines, 1 to 385: the chain is whole: no line was changed, removed or inserted"
    known = head.removeprefix("head ")
    assert call("record", "verify", "--head", known, "--config", kept).code == Exit.OK
    other = known[:-1] + ("0" if known[-1] != "0" else "1")
    told = call("record", "verify", "--head", other, "--config", kept)
    assert (told.code, "line 385 is not the one that --head knows" in told.out) == (Exit.FAULT, True)


def test_a_tampered_line_is_named_also_as_json_and_within_its_days(call, kept):
    tamper(kept, "UPDATE outbox_record SET body = CAST(replace(body, '[1,', '[0,') AS BLOB) WHERE seq = 300")
    told = call("record", "verify", "--config", kept)
    assert told.code == Exit.FAULT
    assert "changed: line 300 does not match its hash" in told.out
    (found,) = call("record", "verify", "--json", "--config", kept).json
    assert [(fault["what"], fault["line"]) for fault in found["faults"]] == [("changed", 300)]
    days = [call("record", "verify", "--from", day, "--to", day, *BERLIN, "--config", kept).code for day in DAYS]
    assert days == [Exit.OK, Exit.FAULT, Exit.OK]


DAYS = ("2026-11-01", "2026-11-02", "2026-11-03")


def test_it_is_read_while_the_agent_runs(call, kept):
    store = Store.open(StorageSettings(directory=load(kept).storage.directory), "a1", at(200))
    store.commit(messages=[messages.record(RecordLine(RecordKind.ALARM, at(201), "freezer", {"alarm": "x"}))])
    assert call("record", "verify", "--json", "--config", kept).json[0]["last"] == 386
    store.close()


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--from", "2026-11-30", "--to", "2026-11-01"), Exit.USAGE, "must be before"),
        (("--from", "yesterday"), Exit.USAGE, "no day such as"),
        (("--from", "2026-11-01", "--timezone", "Elm/Street"), Exit.USAGE, "no time zone"),
        (("--from", "2026-11-01", "--place", "The Room"), Exit.USAGE, "of the characters a-z"),
        ((), Exit.USAGE, "required: --from"),
    ],
)
def test_words_that_are_off_are_named(call, kept, words, code, why):
    told = call("report", "haccp", "--csv", *words, "--config", kept)
    assert told.code == code
    assert why in told.err


@pytest.mark.parametrize("known", ["12", "0:" + "a" * 64, "12:" + "g" * 64, "x:" + "a" * 64, "12:" + "a" * 63])
def test_a_head_that_is_none_is_named(call, kept, known):
    told = call("record", "verify", "--head", known, "--config", kept)
    assert (told.code, "a line's number, a colon" in told.err) == (Exit.USAGE, True)


def test_an_agent_that_never_ran_has_no_record(call, unused):
    for words in (("record", "verify"), ("report", "haccp", "--csv", "--from", "2026-11-01")):
        assert call(*words, "--config", unused).code == Exit.NO_AGENT
