"""Traces as loggers leave them: what is a number, what is set aside, in which order time passed."""

import gzip
import math
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_mocks.trace import Form, Source, State, Trace, TraceError, load, read_cell

T = Source("probe", "temperature", "t", low=-55.0, high=125.0)
HASHES = Form(missing=frozenset({"###"}))


def written(path: Path, *lines: str, header: str = "time,t") -> Path:
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8", newline="")
    return path


def values(trace: Trace) -> list[float]:
    return [trace.values[row.first] for row in trace.rows()]


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("4.5", "value"),
        (" -20 ", "value"),
        ("+3", "value"),
        (".5", "value"),
        ("5.", "value"),
        ("1e-3", "value"),
        ("-5.55111512312578e-17", "value"),
        ("", "blank"),
        ("   ", "blank"),
        ("###", "missing"),
        ("####", "junk"),
        ("###..........", "junk"),
        ("........", "junk"),
        ("2.7........", "junk"),
        ("2,7", "junk"),
        ("2.7 °C", "junk"),
        ("2.7.1", "junk"),
        ("nan", "junk"),
        ("inf", "junk"),
        ("-", "junk"),
        ("1_000", "junk"),
        ("０", "junk"),
        ("0x1F", "junk"),
        ("NULL", "junk"),
        ("1e5e5", "junk"),
        ("--4", "junk"),
    ],
)
def test_a_cell_is_a_number_only_if_it_is_nothing_else(cell: str, kind: str) -> None:
    value, found = read_cell(cell, HASHES.missing)
    assert found == kind
    assert math.isnan(value) == (kind != "value")


@given(st.text(alphabet="0123456789+-.eE#_ naifx", max_size=9))
def test_a_number_is_what_a_careful_reader_takes_for_one(cell: str) -> None:
    stripped = cell.strip()
    plain = bool(stripped) and set(stripped) <= set("0123456789+-.eE")
    try:
        expected = float(stripped) if plain else None
    except ValueError:
        expected = None
    value, kind = read_cell(cell, HASHES.missing)
    assert (kind == "value") == (expected is not None)
    if expected is not None:
        assert value == expected


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        ("125", State.VALUE),
        ("125.1", State.FAULT),
        ("-273", State.FAULT),
        ("1e999", State.FAULT),
        ("", State.BLANK),
        ("###", State.FAULT),
    ],
)
def test_what_the_chip_cannot_measure_is_a_fault(tmp_path: Path, cell: str, state: State) -> None:
    path = written(tmp_path / "t.csv", f"2021-06-24 16:45:00,{cell}")
    trace = load([path], HASHES, [T])
    assert list(trace.states) == [state]


def test_an_infinite_weight_is_no_weight(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "2021-06-24 16:45:00,1e308", "2021-06-24 16:46:00,1e999")
    trace = load([path], HASHES, [Source("scale", "weight", "t", scale=1000.0)])
    assert list(trace.states) == [State.FAULT, State.FAULT]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2021-06-24 16:45:00", "1 cells instead of 2"),
        ("2021-06-24 16:45:00,1,2", "3 cells instead of 2"),
        (",4.5", "stamp '' is not of the form"),
        ("yesterday,4.5", "stamp 'yesterday' is not of the form"),
        ("2021-02-30 16:45:00,4.5", "stamp '2021-02-30 16:45:00' is not of the form"),
        ("2021-06-24 25:00:00,4.5", "is not of the form"),
        ("2021-06-24 16:45:60,4.5", "is not of the form"),
        ("2021-06-24T16:45:00,4.5", "is not of the form"),
        ("1901-06-24 16:45:00,4.5", "is not between 1970 and 2100"),
        ("9999-06-24 16:45:00,4.5", "is not between 1970 and 2100"),
        ('2021-06-24 16:45:00,"4.5', "not CSV"),
        ('2021-06-24 16:45:00,"4"5', "not CSV"),
    ],
)
def test_a_row_that_cannot_be_placed_is_set_aside_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    good = "2021-06-24 16:30:00,3.9"
    trace = load([written(tmp_path / "t.csv", good, line, "2021-06-24 17:00:00,4.1")], HASHES, [T])
    assert values(trace) == [3.9, 4.1]
    (rejected,) = trace.rejected
    assert (rejected.file, rejected.line) == ("t.csv", 3)
    assert reason in rejected.reason


def test_a_row_that_is_not_utf8_is_set_aside_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"time,t\n2021-06-24 16:45:00,\xb0\n2021-06-24 17:00:00,4.1\n")
    trace = load([path], HASHES, [T])
    assert values(trace) == [4.1]
    assert "not UTF-8 at byte 21" in str(trace.rejected[0])


@pytest.mark.parametrize(
    "content",
    [
        b"time,t\r\n2021-06-24 16:45:00,4.5\r\n2021-06-24 17:00:00,4.1",
        b"\xef\xbb\xbftime,t\n2021-06-24 16:45:00,4.5\n\n2021-06-24 17:00:00,4.1\n\n",
        b' time , t \n 2021-06-24 16:45:00 , 4.5 \n"2021-06-24 17:00:00","4.1"\n',
        gzip.compress(b"time,t\n2021-06-24 16:45:00,4.5\n2021-06-24 17:00:00,4.1\n", mtime=0),
    ],
)
def test_line_ends_marks_blanks_quotes_and_packing_do_not_matter(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace"
    path.write_bytes(content)
    trace = load([path], HASHES, [T])
    assert values(trace) == [4.5, 4.1]
    assert not trace.rejected


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", None, "a.csv: cannot be read: No such file"),
        ("b.csv.gz", b"time,t\n", "b.csv.gz: is named .gz but is no gzip file"),
        (
            "c.csv.gz",
            gzip.compress(b"time,t\n2021-06-24 16:45:00,4.5\n" * 50, mtime=0)[:-20],
            "c.csv.gz: the gzip file is damaged",
        ),
        ("d.csv", b"", "d.csv: is empty"),
        ("e.csv", b"time,t\n", "e.csv: no rows below the header"),
        ("f.csv", b"time,temp\n", "f.csv: no column 't'; its columns are time, temp"),
        ("g.csv", b"tiem,t\n", "g.csv: no column 'time' (nearest: 'tiem')"),
        ("h.csv", "time,t".encode("utf-16"), "h.csv: the header is not UTF-8"),
        ("i.csv", b"time,t,t\n2021-06-24 16:45:00,4,5\n", "i.csv: column 't' stands there 2 times"),
        ("j.csv", b"time,t,time\n2021-06-24 16:45:00,4,5\n", "j.csv: column 'time' stands there 2 times"),
        ("i.csv", b"time,t\nnever,4\nalways,5\n", "i.csv: no usable row among 2; the first: i.csv, line 2: stamp"),
        ("j.csv", b"\x00\x01\x02\x03", "j.csv: no column 'time'"),
    ],
)
def test_a_file_that_cannot_be_played_says_why(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TraceError) as caught:
        load([path], HASHES, [T])
    assert words in str(caught.value)


def test_rows_of_nobody_are_named_by_what_was_looked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "2021-06-24 16:45:00,4.5,7", header="time,t,hive")
    with pytest.raises(TraceError, match="none of 1 rows has hive = '2120'"):
        load([path], HASHES, [Source("scale", "weight", "t", where={"hive": "2120"})])


def times(trace: Trace) -> list[tuple[float, float]]:
    """Playing time, and the stamp in seconds after the first one's."""
    rows = list(trace.rows())
    return [(row.mono_s, row.wall_s - rows[0].wall_s) for row in rows]


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (["01:30", "01:45", "01:00", "01:15"], [(0, 0), (900, 900), (1800, -1800), (2700, -900)]),  # back by 45 min
        (["01:00", "01:15", "01:15", "01:30"], [(0, 0), (900, 900), (1800, 900), (2700, 1800)]),  # a stamp twice
        (["01:00", "01:15", "04:15", "04:30"], [(0, 0), (900, 900), (11700, 11700), (12600, 12600)]),  # a gap
        (["01:00", "00:00"], [(0, 0), (60, -3600)]),  # no interval to be had: a minute
    ],
)
def test_a_stamp_that_goes_back_is_a_step_of_the_clock_and_not_of_time(
    tmp_path: Path, clock: list[str], expected: list[tuple[float, float]]
) -> None:
    path = written(tmp_path / "t.csv", *(f"2021-11-07 {each}:00,4" for each in clock))
    assert times(load([path], HASHES, [T])) == expected


def test_the_hour_that_autumn_repeats_is_no_step(tmp_path: Path) -> None:
    stamps = ["02:30", "02:45", "02:00", "02:15", "02:30", "02:45", "03:00"]
    path = written(tmp_path / "t.csv", *(f"2021-10-31 {each}:00,4" for each in stamps))
    trace = load([path], Form(timezone="Europe/Rome"), [T])
    assert times(trace) == [(900.0 * n, 900.0 * n) for n in range(7)]


SCALES = [Source(f"scale-{name}", "weight", "t", where={"hive": name}) for name in ("a", "b")]


def test_groups_sorted_one_after_another_are_played_by_time(tmp_path: Path) -> None:
    lines = [f"2021-11-07 01:{minute}:00,{n},{hive}" for hive in "ab" for n, minute in enumerate(("00", "15", "30"))]
    trace = load([written(tmp_path / "t.csv", *lines, header="time,t,hive")], HASHES, SCALES)
    assert [(row.mono_s, row.sources) for row in trace.rows()] == [
        (900.0 * n, (scale,)) for n in range(3) for scale in (0, 1)
    ]


def test_groups_whose_clock_stepped_stay_together(tmp_path: Path) -> None:
    clock = ("01:30", "01:45", "01:00", "01:15")
    lines = [f"2021-11-07 {each}:00,4,{hive}" for hive in "ab" for each in clock]
    trace = load([written(tmp_path / "t.csv", *lines, header="time,t,hive")], HASHES, SCALES)
    rows = list(trace.rows())
    assert [row.mono_s for row in rows] == [0, 0, 900, 900, 1800, 1800, 2700, 2700]
    assert [row.wall_s for row in rows[::2]] == [row.wall_s for row in rows[1::2]]


def test_rows_of_other_groups_are_counted_and_left(tmp_path: Path) -> None:
    lines = ["2021-11-07 01:00:00,4,a", "2021-11-07 01:00:00,5,c"]
    trace = load([written(tmp_path / "t.csv", *lines, header="time,t,hive")], HASHES, SCALES)
    assert len(trace) == 1
    assert trace.counts["unmatched"] == 1


def test_several_files_are_played_the_earliest_first(tmp_path: Path) -> None:
    late = written(tmp_path / "late.csv", "2021-06-25 00:00:00,2", "2021-06-25 00:15:00,3")
    early = written(tmp_path / "early.csv", "2021-06-24 00:00:00,0", "2021-06-24 00:15:00,1")
    trace = load([late, early], HASHES, [T])
    assert values(trace) == [0.0, 1.0, 2.0, 3.0]
    assert times(trace)[2] == (86_400.0, 86_400.0)


def test_stamps_may_stand_in_two_columns_and_another_order(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "24/06/21,0:45:00,4", header="date,hour,t")
    trace = load([path], Form(("date", "hour"), "%d/%m/%y %H:%M:%S", "Europe/Rome"), [T])
    assert trace.wall_s[0] == 1_624_488_300  # 2021-06-23T22:45:00Z


def test_a_format_of_months_by_name_is_read_as_well(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "24 Jun 2021 22:45,4")
    assert load([path], Form(time_format="%d %b %Y %H:%M"), [T]).wall_s[0] == 1_624_574_700


def test_a_long_trace_stays_small(tmp_path: Path) -> None:
    lines = (f"2021-{n // 1440 // 28 + 1:02}-{n // 1440 % 28 + 1:02} {n // 60 % 24:02}:{n % 60:02}:00,4.{n % 10}"
             for n in range(20_000))  # fmt: skip
    path = written(tmp_path / "t.csv", *lines)
    load([path], HASHES, [T])  # imports and caches
    tracemalloc.start()
    trace = load([path], HASHES, [T])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(trace) == 20_000
    assert kept / len(trace) < 60  # bytes a row


def test_a_repeated_column_that_nobody_reads_does_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "2021-06-24 16:45:00,4.5,,", header="time,t,,")
    assert values(load([path], HASHES, [T])) == [4.5]


def test_a_file_that_is_named_twice_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "2021-06-24 16:45:00,4.5")
    (tmp_path / "link.csv").symlink_to(path)
    for again in (path, tmp_path / "link.csv"):
        with pytest.raises(TraceError, match=f"{again.name}: is named twice"):
            load([path, again], HASHES, [T])
