"""Where a fault stands: its line, its table by name, its value as written."""

from collections.abc import Iterable, Mapping

from edge_agent.config.faults import ConfigFault, Found, Path, key_text, look_up, printable, shorten, show
from edge_agent.config.written import Written, written


def locate(found: Iterable[Found], document: Mapping[str, object], text: str, file: str) -> list[ConfigFault]:
    """The faults as people read them, in the order of the text."""
    faults = list(found)
    if not faults:
        return []
    places = written(text)
    located = [_located(fault, document, places, file) for fault in faults]
    return sorted(located, key=lambda fault: fault.line or 0)


def _located(fault: Found, document: Mapping[str, object], places: Mapping[Path, Written], file: str) -> ConfigFault:
    path = fault.path
    while path and path not in places:  # a key that is not there: the head of its table
        path = path[:-1]
    at = places.get(path)
    value = _value(fault, at if path == fault.path else None)
    return ConfigFault(
        file,
        line=None if at is None else at.line,
        key=printable(key_text(fault.path)),
        place=printable(_named(_table_of(fault.path), document)),
        value=None if value is None else printable(value),
        right=printable(fault.right),
    )


def _value(fault: Found, at: Written | None) -> str | None:
    if not fault.reveals:
        return None
    if at is not None and at.text is not None:
        return shorten(" ".join(at.text.split()))
    if fault.value is None:
        return None
    return f"{show(fault.value)} (the default)" if at is None and fault.is_default else show(fault.value)


def _table_of(path: Path) -> Path:
    """The table a key stands in; an array's element stands where its array does."""
    return path[:-1] if not path or isinstance(path[-1], str) else _table_of(path[:-1])


def _named(path: Path, document: Mapping[str, object]) -> str:
    """The table at ``path`` as people call it.

    >>> _named(("shelf", 0, "cell", 1), {"shelf": [{"name": "apples", "cell": [{}, {}]}]})
    'shelf "apples", cell[2]'
    """
    said = ""
    for depth, part in enumerate(path, start=1):
        if isinstance(part, str):
            said += (", " if said.endswith(('"', "]")) else "." if said else "") + shorten(part)
            continue
        table = look_up(document, path[:depth])
        names = (table.get(key) for key in ("name", "sensor", "gtin")) if isinstance(table, Mapping) else ()
        name = next((name for name in names if isinstance(name, str)), None)
        said += f"[{part + 1}]" if name is None else f" {show(name)}"
    return said
