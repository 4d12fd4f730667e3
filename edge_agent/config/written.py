"""Where each key of a TOML text is written: tomllib gives the values and forgets the lines."""

import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field

from edge_agent.config.faults import Path

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_TEXT = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'  # up to two quotes may stand before the closing three
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}\n#]+")


@dataclass(frozen=True, slots=True)
class Written:
    line: int  # from 1
    text: str | None  # the value as written; None for a table's header


def written(text: str) -> dict[Path, Written]:
    """The place of every table and key of a text that tomllib has accepted.

    >>> places = written('[node]\\nname = "a"\\n[[shelf]]\\ncell = [{sensor = "b"}]\\n')
    >>> places["node", "name"]
    Written(line=2, text='"a"')
    >>> places["shelf", 0, "cell", 0, "sensor"].line
    4
    """
    scan = _Scan(text.replace("\r\n", "\n"))
    with suppress(_Lost):
        scan.document()
    return scan.places


class _Lost(Exception):
    """A text this scan does not understand: no line is better than a wrong one."""


@dataclass(slots=True)
class _Scan:
    text: str
    position: int = 0
    line: int = 1
    counted: int = 0  # the position that `line` belongs to
    places: dict[Path, Written] = field(default_factory=dict)
    lengths: dict[Path, int] = field(default_factory=dict)  # of the arrays of tables so far

    def document(self) -> None:
        table: Path = ()
        self.skip(_BLANK)
        while self.position < len(self.text):
            if self.next() == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)

    def header(self) -> Path:
        line = self.line_here()
        is_array = self.text.startswith("[[", self.position)
        self.position += 2 if is_array else 1
        self.skip(_BLANK)
        path = self.inside(self.key())
        self.skip(_BLANK)
        self.position += 2 if is_array else 1
        if is_array:
            self.places.setdefault(path, Written(line, None))  # the array stands where its first table does
            self.lengths[path] = self.lengths.get(path, 0) + 1
            path = (*path, self.lengths[path] - 1)
        self.places.setdefault(path, Written(line, None))
        return path

    def inside(self, parts: list[str]) -> Path:
        """A header's key, which means the last table of each array it passes through."""
        path: Path = ()
        for part in parts[:-1]:
            path = (*path, part)
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
        return (*path, parts[-1])

    def pair(self, table: Path) -> None:
        line = self.line_here()
        path: Path = table
        for part in self.key():
            path = (*path, part)
            self.places.setdefault(path, Written(line, None))
        self.skip(_EQUALS)
        start = self.position
        self.value(path)
        self.places[path] = Written(line, self.text[start : self.position].rstrip())

    def key(self) -> list[str]:
        parts = []
        while True:
            part = self.take(_KEY_PART)
            parts.append(part if part[0] not in "\"'" else tomllib.loads(f"k = {part}")["k"])
            if not self.skip(_DOT):
                return parts

    def value(self, path: Path) -> None:
        match self.next():
            case "[":
                self.array(path)
            case "{":
                self.inline_table(path)
            case '"' | "'":
                self.take(_TEXT)
            case _:
                self.take(_BARE)

    def array(self, path: Path) -> None:
        self.position += 1
        index = 0
        self.skip_separators()
        while self.next() != "]":
            line, start = self.line_here(), self.position
            self.value((*path, index))
            self.places[(*path, index)] = Written(line, self.text[start : self.position].rstrip())
            index += 1
            self.skip_separators()
        self.position += 1

    def inline_table(self, path: Path) -> None:
        self.position += 1
        self.skip_separators()
        while self.next() != "}":
            self.pair(path)
            self.skip_separators()
        self.position += 1

    def skip_separators(self) -> None:
        self.skip(_BLANK)
        while self.text.startswith(",", self.position):
            self.position += 1
            self.skip(_BLANK)

    def next(self) -> str:
        if self.position >= len(self.text):
            raise _Lost("the text ends too soon")
        return self.text[self.position]

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """True when there was something to skip."""
        match = pattern.match(self.text, self.position)
        if match is None:
            return False
        skipped = match.end() > self.position
        self.position = match.end()
        return skipped

    def take(self, pattern: re.Pattern[str]) -> str:
        start = self.position
        if not self.skip(pattern):
            raise _Lost(f"no {pattern.pattern} at {start}")
        return self.text[start : self.position]

    def line_here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.position)
        self.counted = self.position
        return self.line
