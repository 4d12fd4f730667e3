"""From a text to a TOML document, or to the place where it stops being TOML."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.config.faults import Found, Path

_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_ENDLESS = re.compile(r"\d[\d_]{4000}")  # sys.get_int_max_str_digits() is 4300
_TOO_LARGE = "must be a whole number of at most 64 bits"
_DEEPEST = 16  # tables and arrays within one another
_INT64 = range(-(2**63), 2**63)  # TOML 1.0, "Integer": more need not be understood, and nothing here needs it

# What tomllib says, and what was probably meant.
_SAID = (
    ("Cannot overwrite", "this key, or a table of this name, stands above already"),
    ("Cannot declare", "this table stands above already; sensors, shelves and products have double brackets"),
    ("Unescaped", "in double quotes a backslash is written twice; or use single quotes"),
)
# What the line looks like, and what was probably meant.
_WRITTEN = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (
            r"^\s*\[\[[^\]]*\]?\s*(?:#.*)?$",
            "the head of one of many tables has double brackets on both sides: [[sensor]]",
        ),
        (r"^\s*\[[^\]]*$", "the head of a table ends with ]"),
        (r"^\s*[\w.-]+\s*:", "a key and its value are joined by ="),
        (r"""=\s*(?:"[^"]*|'[^']*)$""", "a text ends with the quote it began with"),
        (r"=\s*[“”„‘’]", 'a text stands in straight double quotes: "..."'),
        (r"=\s*-?\d+,\d", "a decimal number has a point: 0.5"),
        (r"=\s*-?(?:\.\d|\d+\.(?!\d))", "a decimal number has digits on both sides of its point: 0.5"),
        (r"=\s*-?0\d", "a number has no zeros in front; a code is a text in double quotes"),
        (r"=\s*-?\d[\d.]*\s*[a-zA-Z%°]", "a number stands without its unit, which is in the key's name"),
        (r"=\s*(?i:true|false|yes|no|on|off)\b", "a switch is true or false, in small letters"),
        (r"=\s*[\w/~$.]", "a text stands in double quotes"),
        (r"=\s*(?:#.*)?$", "a key without a value is left out, or made a comment with #"),
    )
)


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    line: int | None
    right: str


def parse(text: str) -> dict[str, Any] | SyntaxFault:
    """What a text says; ``excess`` in it is not looked for."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        return SyntaxFault(None, f"must not nest tables and arrays more than {_DEEPEST} deep")
    except ValueError as error:  # TOMLDecodeError, and what int() says to thousands of digits
        return _explained(text, str(error))
    return document


def _explained(text: str, message: str) -> SyntaxFault:
    where = _WHERE.search(message)
    if where is None:
        return _of_digits(text) or SyntaxFault(None, f"not TOML: {message}")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    line = int(where[1] or len(lines))
    column = int(where[2] or len(lines[-1]) + 1)
    written = lines[line - 1] if line <= len(lines) else ""
    said = message[: where.start()]
    meant = _meant(said, written)
    hint = f" ({meant})" if meant else ""
    return SyntaxFault(line, f"column {column}: not TOML: {said}{hint}\n{_excerpt(written, column)}")


def _meant(said: str, written: str) -> str | None:
    by_message = [hint for start, hint in _SAID if said.startswith(start)]
    return next(iter(by_message), None) or next((hint for form, hint in _WRITTEN if form.search(written)), None)


def _excerpt(line: str, column: int, width: int = 100) -> str:
    """The part of the line around the column, and a mark below it."""
    start = max(0, column - width // 2)
    shown = "".join(letter if letter.isprintable() else " " for letter in line[start : start + width])
    return f"    {shown}\n    {' ' * (column - 1 - start)}^"


def _of_digits(text: str) -> SyntaxFault | None:
    """A number that Python refuses to read tells no line."""
    found = _ENDLESS.search(text)
    return found and SyntaxFault(text.count("\n", 0, found.start()) + 1, _TOO_LARGE)


def excess(document: Mapping[str, Any]) -> list[Found]:
    """What TOML allows and no configuration needs, before anything below stumbles over it."""
    level: list[tuple[Path, Any]] = [((), document)]
    for _ in range(_DEEPEST):
        inner = [((*path, key), each) for path, value in level for key, each in _items(value)]
        found = [Found(path, _TOO_LARGE) for path, value in inner if isinstance(value, int) and value not in _INT64]
        if found:
            return found
        level = [(path, value) for path, value in inner if isinstance(value, dict | list)]
        if not level:
            return []
    return [Found((), f"must not nest tables and arrays more than {_DEEPEST} deep")]


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)
