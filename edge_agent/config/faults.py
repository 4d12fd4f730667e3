"""Faults of a configuration as people read them."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_MOST_TOLD = 50  # names in one fault
_FEW, _LIKE = 4, 0.65
_KEY_PART = re.compile(r"(\w+)(?:\[(\d+)\])?")

Path = tuple[str | int, ...]  # a key from the top of the document: ("sensor", 1, "interval_s")


@dataclass(frozen=True, slots=True)
class Found:
    """A fault before anyone has looked up where in the file its key stands."""

    path: Path
    right: str  # a clause: "must be between 0.1 and 86400 s"
    value: object = None  # that was at fault, where the file does not show it
    is_default: bool = False  # the file leaves the key out, and its default is at fault
    reveals: bool = True  # False: the value may be a secret in the wrong place


@dataclass(frozen=True, slots=True)
class ConfigFault:
    file: str
    line: int | None
    key: str  # "sensor[2].interval_s": arrays of tables are counted from 1; "" is the file as a whole
    place: str  # the table by name: 'sensor "cold-room"', "mqtt.tls"; "" is the top of the file
    value: str | None  # as it is written in the file; None: not there, or not to be shown
    right: str  # a clause: "must be between 0.1 and 86400 s"

    def __str__(self) -> str:
        """
        >>> fault = ConfigFault("a.toml", 41, "sensor[2].interval_s", 'sensor "dock"', "0", "must be between 1 and 9 s")
        >>> print(fault)
        a.toml, line 41: sensor "dock": interval_s = 0: must be between 1 and 9 s
        """
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        leaf = shorten(self.key.rpartition(".")[2])
        said = leaf if self.value is None else f"{leaf} = {self.value}"
        text = ": ".join(part for part in (where, self.place, said, self.right) if part)
        return "\n".join(map(printable, text.split("\n")))  # an excerpt of the file has lines of its own


class ConfigError(Exception):
    """A configuration that the agent does not start with: all its faults, in the order of the file."""

    def __init__(self, faults: Iterable[ConfigFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[tuple[ConfigFault, ...]]]:
        return ConfigError, (self.faults,)  # pickled, for `apart`, as it is made


def unknown_key(path: Path, known: Collection[str], elsewhere: str | None = None) -> Found:
    """The key's value is not shown: it may be a password that has no place in the file."""
    near = _nearest(str(path[-1]).lower(), known)
    hint = f"did you mean {near[0]}? " if near else f"it belongs in {elsewhere}. " if elsewhere else ""
    return Found(path, f"unknown key: {hint}Known here: {', '.join(known)}", reveals=False)


def unknown_name(path: Path, name: str, known: Collection[str], what: str, where: str = "") -> Found:
    """``where`` the names stand, when they are too many to be told: then the nearest few are."""
    near = _nearest(name, known)
    if where and len(known) > _MOST_TOLD:
        few = ", ".join(f'"{each}"' for each in _nearest_few(name, known))
        hint = f" (did you mean {few}?)" if few else ""
        return Found(path, f"must be {what}{hint}: all {len(known)} names stand in {where}")
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    listed = ", ".join(known) if known else "there is none"
    return Found(path, f"must be {what}{hint}: {listed}")


def _nearest(name: str, known: Collection[str]) -> list[str]:
    from difflib import get_close_matches  # here: a configuration without faults needs no search

    return get_close_matches(name, known, 1)


def _nearest_few(name: str, known: Collection[str]) -> list[str]:
    """The likest, as a whole or by one of their words.

    >>> _nearest_few("Tomato", ("apple", "tomato_firm_ripe", "potato_late", "leek"))
    ['tomato_firm_ripe', 'potato_late']
    """
    from difflib import SequenceMatcher

    asked = name.lower()

    def likeness(other: str) -> float:
        return max(SequenceMatcher(None, asked, part).ratio() for part in (other.lower(), *other.lower().split("_")))

    likest = sorted(((likeness(other), other) for other in known), key=lambda found: -found[0])
    return [other for like, other in likest[:_FEW] if like >= _LIKE]


def header(path: Path, *, many: bool = False) -> str:
    """How a table is headed in TOML.

    >>> header(("mqtt", "tls")), header(("shelf", 0, "cell"), many=True)
    ('[mqtt.tls]', '[[shelf.cell]]')
    """
    name = ".".join(part for part in path if isinstance(part, str))
    return f"[[{name}]]" if many else f"[{name}]"


def look_up(document: object, path: Path) -> object:
    """What stands at ``path``; None where there is nothing, which TOML has no value for.

    >>> look_up({"shelf": [{"name": "apples"}]}, ("shelf", 0, "name"))
    'apples'
    """
    value = document
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def path_of(key: str) -> Path:
    """The inverse of ``key_text``, for keys made of letters.

    >>> path_of("shelf[2].cells[1]")
    ('shelf', 1, 'cells', 0)
    """
    path: Path = ()
    for name, index in _KEY_PART.findall(key):
        path = (*path, name, int(index) - 1) if index else (*path, name)
    return path


def key_text(path: Path) -> str:
    """
    >>> key_text(("sensor", 1, "interval_s"))
    'sensor[2].interval_s'
    """
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def show(value: object) -> str:
    """A value as TOML would write it, shortened.

    >>> show("5"), show(True), show([1, 2])
    ('"5"', 'true', '[1, 2]')
    """
    match value:
        case bool():
            text = str(value).lower()
        case str():
            text = f'"{value}"'
        case dict():
            text = "a table"
        case _:
            text = str(value)
    return shorten(text)


def printable(text: str) -> str:
    """Without what would move a terminal's cursor or colour its text."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def shorten(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
