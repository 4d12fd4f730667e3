"""A file of text as people send it: packed or not, in one of three encodings, however long. Read line by line, never
whole: memory does not grow with it.
"""

import codecs
import gzip
import io
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

Opener = Callable[[], BinaryIO]  # the same bytes from their beginning, each time

LONGEST_LINE = 8192  # characters
_CHUNK = 1 << 20
_HASHES = 4_000_000  # of lines, in memory at once: 32 MB
_GZIP = b"\x1f\x8b"
_OTHERS = {  # by how they begin: what people also send
    b"PK\x03\x04": "a spreadsheet or a zip: save the sheet as csv",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (xls): save the sheet as csv",
    b"PAR1": "parquet: write the table as csv",
    b"SQLite f": "a database: write the table as csv",
    b"%PDF": "a PDF: the till can write the same as csv",
    b"BZh": "packed by bzip2: unpack it, or pack it by gzip",
    b"\xfd7zXZ": "packed by xz: unpack it, or pack it by gzip",
    b"(\xb5/\xfd": "packed by zstd: unpack it, or pack it by gzip",
}


class FileFault(ValueError):
    """Nothing of the file can be read; says what would be right."""


@dataclass(frozen=True, slots=True)
class TextFile:
    name: str
    opens: Opener
    encoding: str
    digest: bytes  # SHA-256 of what is in it, unpacked
    length: int  # lines, about
    misread: int = 0  # the first line that is not UTF-8, though nothing else is said; 0: none

    def lines(self) -> Iterator[tuple[int, str]]:
        """With their numbers, from 1. Raises FileFault."""
        with _named_faults(self.name), self.opens() as packed, _unpacked(packed) as raw:
            text = io.TextIOWrapper(raw, encoding=self.encoding, errors="replace")
            number = 0
            while line := text.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    right = f"is longer than {LONGEST_LINE} characters: must be a csv, one sale or day a line"
                    raise FileFault(f"{self.name}, row {number}: {right}")
                yield number, line.rstrip("\n")

    def repeated(self) -> frozenset[int]:
        """``line_mark`` of lines that stand there more than once, and of hardly any other.

        As often through the file as keeps memory flat: 4 million lines a time.
        """
        import numpy as np  # here: most commands do without

        rounds = self.length // _HASHES + 1
        found: set[int] = set()
        for turn in range(rounds):
            marks = array("q", (mark for _, line in self.lines() if (mark := line_mark(line)) % rounds == turn))
            ordered = np.frombuffer(marks, np.int64) if marks else np.empty(0, np.int64)
            ordered.sort()
            found.update(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
        return frozenset(found)


def line_mark(line: str) -> int:
    """The same for the same line, whatever blanks are around it."""
    return hash(line.strip())


def scanned(opens: Opener, name: str) -> TextFile:
    """Once through the file. Raises FileFault for what is no text."""
    with _named_faults(name), opens() as packed, _unpacked(packed) as raw:
        piece = raw.read(_CHUNK)
        _refuse_others(piece, name)
        is_wide = piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        decoder = codecs.getincrementaldecoder("utf-8")()
        digest, length, misread = sha256(), 0, 0
        while piece:
            if not is_wide and not misread:
                misread = _misread(decoder, piece, length)
            digest.update(piece)
            length += piece.count(b"\n")
            piece = raw.read(_CHUNK)
    encoding = "utf-16" if is_wide else "cp1252" if misread else "utf-8-sig"
    return TextFile(name, opens, encoding, digest.digest(), length, misread)


def _misread(decoder: codecs.IncrementalDecoder, piece: bytes, before: int) -> int:
    """The line that is not UTF-8; 0 where there is none."""
    left = len(decoder.getstate()[0])
    try:
        decoder.decode(piece)
    except UnicodeDecodeError as error:
        return before + piece.count(b"\n", 0, max(0, error.start - left)) + 1
    return 0


def _refuse_others(begin: bytes, name: str) -> None:
    for mark, what in _OTHERS.items():
        if begin.startswith(mark):
            raise FileFault(f"{name}: is {what}")
    if b"\0" in begin and not begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileFault(f"{name}: is no text: must be a csv in UTF-8, UTF-16 with its mark, or Windows-1252")


@contextmanager
def _unpacked(packed: BinaryIO) -> Iterator[BinaryIO]:
    is_packed = packed.read(len(_GZIP)) == _GZIP
    packed.seek(0)
    if not is_packed:
        yield packed
        return
    with gzip.GzipFile(fileobj=packed) as raw:
        yield raw  # type: ignore[misc]


@contextmanager
def _named_faults(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileFault(f"{name}: the packed file is damaged or cut short ({error}): send it again") from error
    except OSError as error:
        raise FileFault(f"{name}: {error.strerror or error}") from error
