"""Files of text of any length: the same lines each time, what stands there twice, and memory that does not grow."""

import gzip
import tracemalloc
from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.exchange.rows import FileFault
from edge_agent.exchange.text_file import line_mark, scanned

LINE = "abcä,\u2028€ "


@given(
    st.lists(st.text(LINE, max_size=8), max_size=30),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_lines_come_as_they_were_written(lines: list[str], encoding: str, end: str, is_packed: bool) -> None:
    content = "".join(line + end for line in lines).encode(encoding)
    kept = gzip.compress(content) if is_packed else content
    text = scanned(lambda: BytesIO(kept), "till.csv")
    assert list(text.lines()) == list(text.lines()) == list(enumerate(lines, 1))
    twice = {line.strip() for line in lines if [each.strip() for each in lines].count(line.strip()) > 1}
    assert text.repeated() == {line_mark(line) for line in twice}
    assert replace(text, length=9_000_000).repeated() == text.repeated(), "in three rounds, as of a longer file"
    assert text.digest == scanned(lambda: BytesIO(content), "again").digest, "packed or not it is the same file"


@pytest.mark.parametrize("place", [1_048_574, 1_048_575, 1_048_576, 1_048_577])
def test_a_letter_cut_in_two_by_a_piece_is_read_and_a_wrong_one_is_told_with_its_line(place: int) -> None:
    lines = (b"x" * 63 + b"\n") * (1 << 15)
    right = lines[:place] + "ä".encode() + lines[place:]
    assert scanned(lambda: BytesIO(right), "till.csv").encoding == "utf-8-sig"
    text = scanned(lambda: BytesIO(lines[:place] + b"\xe4" + lines[place:]), "till.csv")
    assert (text.encoding, text.misread) == ("cp1252", place // 64 + 1)
    assert "ä" in dict(text.lines())[place // 64 + 1]


def test_the_line_of_a_wrong_letter_is_right_after_one_cut_in_two() -> None:
    lines = (b"x" * 63 + b"\n") * (1 << 14)
    content = lines[: (1 << 20) - 3] + "\N{RED APPLE}".encode() + b"\xff\n\n\n"
    assert scanned(lambda: BytesIO(content), "till.csv").misread == 1 << 14


def test_a_fault_of_the_disk_while_reading_names_the_file() -> None:
    class Failing(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(FileFault, match=r"till\.csv: Input/output error"):
        scanned(lambda: Failing(b"x"), "till.csv")


def test_reading_holds_a_piece_of_the_file_and_not_the_file() -> None:
    content = b"".join(b"2026-11-20,4011,%08d\n" % number for number in range(100_000))
    text = scanned(lambda: BytesIO(content), "till.csv")
    tracemalloc.start()
    try:
        assert sum(1 for _ in text.lines()) == 100_000
        assert text.length == 100_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < len(content) / 10
