"""The record as a table: one row a line. Columns are only ever added, at the end."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import tzinfo

from edge_agent.domain.record import KeptLine
from edge_agent.exchange.haccp import GOODS, air, begun_ms, number, told_ms, triple
from edge_agent.exchange.local_time import local, utc

_QUANTITIES = (("air", "c"), ("product", "c"), ("humidity", "pct"))
COLUMNS = (
    *("file", "line", "utc", "local", "clock", "kind", "place", "from_utc", "to_utc", "duration_s", "readings"),
    *(f"{name}_{part}_{unit}" for name, unit in _QUANTITIES for part in ("min", "mean", "max")),
    *("alarm", "priority", "change", "state", "who", "what", "value", "limit", "unit", "outside_s", "words"),
    *("rest", "hash"),
    *("product", "lot", "supplier", "units", "grams", "invoiced_g", "rejected_g", "use_by", "best_before"),
    *("temperature_c", "order", "shelf", "note"),
)  # fmt: skip
_GOODS = COLUMNS[COLUMNS.index("hash") + 1 :]  # of deliveries and waste, by the names they have in the line
_EVENT = ("alarm", "priority", "change", "state", "who")
_MEASURED = frozenset({"from", "to", "duration_s", "readings", "raw_c", "air_c", "product_c", "humidity_pct"})
_HAPPENED = {*_EVENT, "limit", "limit_c", "value", "extreme_c", "unit", "outside_s", "reason", "message"}
_TOLD = frozenset({*_MEASURED, *_HAPPENED, "at_clock"})  # in a column of their own
_NOTHING_HAPPENED = ("",) * (len(_EVENT) + 6)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would carry out

Cell = str | float | int | None


def row(line: KeptLine, zone: tzinfo) -> tuple[Cell, ...]:
    """In the order of COLUMNS; None and "" are empty cells."""
    body, is_goods = line.body, line.kind in GOODS
    figures = (air(body), triple(body.get("product_c")), triple(body.get("humidity_pct")))
    return (
        *(line.file, line.number, utc(line.wall_ms), local(line.wall_ms, zone), _clock(line)),
        *(_text(line.kind), _text(line.place)),
        *_span(line),
        number(body.get("readings")),
        *(value for found in figures for value in found or (None, None, None)),
        *(_NOTHING_HAPPENED if body.keys() <= _MEASURED else _happened(body)),
        _rest(body, _TOLD | set(_GOODS) if is_goods else _TOLD),
        line.hash,
        *(_cell(body.get(key)) if is_goods else "" for key in _GOODS),
    )


def _span(line: KeptLine) -> tuple[Cell, ...]:
    begin_ms, end_ms = begun_ms(line), told_ms(line, "to")
    until_ms, told_s = end_ms or line.wall_ms, number(line.body.get("duration_s"))
    is_known = told_s is None and begin_ms is not None and until_ms is not None
    duration_s = ((until_ms or 0) - (begin_ms or 0)) / 1000 if is_known else told_s
    return utc(begin_ms), utc(end_ms), duration_s


def _happened(body: Mapping[str, object]) -> tuple[Cell, ...]:
    limit = body.get("limit")
    is_named = isinstance(limit, str)  # an excursion names its limit, an alarm gives its value
    return (
        *(_text(body.get(key)) for key in _EVENT),
        _text(limit) if is_named else "",
        _either(body, "value", "extreme_c"),
        number(body.get("limit_c")) if is_named else number(limit),
        _text(body.get("unit")) or ("°C" if is_named else ""),
        number(body.get("outside_s")),
        _text("; ".join(str(body[key]) for key in ("message", "reason") if body.get(key))),
    )


def _clock(line: KeptLine) -> str:
    if line.wall_ms is None:
        return "unset"
    return "corrected" if line.is_corrected else "set"


def _either(body: Mapping[str, object], first: str, second: str) -> float | None:
    found = number(body.get(first))
    return number(body.get(second)) if found is None else found


def _cell(value: object) -> Cell:
    found = number(value)
    return _text(value) if found is None else found


def _rest(body: Mapping[str, object], told: AbstractSet[str]) -> str:
    if body.keys() <= told:
        return ""
    rest = {key: value for key, value in body.items() if key not in told}
    return json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _text(value: object) -> str:
    """What people wrote must not become a formula in who opens the file.

    >>> _text('=HYPERLINK("x")'), _text("door stood open"), _text(None)
    ('\\'=HYPERLINK("x")', 'door stood open', '')
    """
    found = "" if value is None else str(value)
    return f"'{found}" if found.startswith(_FORMULA) else found
