"""The accuracy of the forecasts as one page with plots, for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT = 900, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 110, 10, 30
_STYLE = (
    "body{font:15px sans-serif;max-width:60em;margin:2em auto}table{border-collapse:collapse}"
    "td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}"
    "td:first-child,th:first-child{text-align:left}"
    "polyline{fill:none;stroke:#999;stroke-width:1.5}polyline.ours{stroke:#06c;stroke-width:3}"
    "circle{fill:#999}circle.ours{fill:#06c}line{stroke:#ddd}text{font-size:12px}"
)
_LINE_PX = 14  # of a name at the end of its line
_DASHES = ("6 3", "2 3", "8 3 2 3", "1 4", "10 4", "4 4")

Weeks = Mapping[date, Mapping[str, float]]  # one line each name, the first one ours


@dataclass(frozen=True, slots=True)
class Table:
    """A number is told with three digits."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    weeks: Weeks


def page(title: str, notes: Sequence[str], parts: Sequence[Table | Plot]) -> Iterator[str]:
    """What is empty is left out."""
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    yield f"<h1>{escape(title)}</h1>"
    for note in notes:
        yield f"<p>{escape(note)}</p>"
    for part in parts:
        shown = table(part) if isinstance(part, Table) else plot(part)
        if shown:
            yield f"<h2>{escape(part.title)}</h2>{shown}"
    yield "</html>\n"


def table(of: Table) -> str:
    if not of.rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in of.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell(value))}</td>' for value in row)}</tr>" for row in of.rows)
    return f"<table><tr>{head}</tr>{rows}</table>"


def cell(value: str | int | float) -> str:
    """
    >>> cell(0.12345), cell(7), cell("theta")
    ('0.123', '7', 'theta')
    """
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def plot(of: Plot) -> str:
    """A line a name, told apart by dashes and words too. Empty without a week."""
    weeks = of.weeks
    if not weeks:
        return ""
    days = sorted(weeks)
    high = 1.1 * max(value for row in weeks.values() for value in row.values()) or 1.0

    def x(index: int) -> float:
        return round(_LEFT + index * (WIDTH - _LEFT - _RIGHT) / max(1, len(days) - 1), 1)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - value / high * (HEIGHT - _TOP - _BOTTOM), 1)

    parts = []
    for step in range(5):
        value = high * step / 4
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(value)}" y2="{y(value)}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{value:.2f}</text>')
    for index, day in enumerate(days):
        parts.append(f'<text x="{x(index)}" y="{HEIGHT - 10}" text-anchor="middle">{day:%d %b}</text>')
    names = list(weeks[days[0]])
    ends = _apart([y(weeks[days[-1]][name]) for name in names])
    for place, name in enumerate(names):
        points = [(x(index), y(weeks[day][name])) for index, day in enumerate(days)]
        dashes = "" if place == 0 else f' stroke-dasharray="{_DASHES[(place - 1) % len(_DASHES)]}"'
        kind = ' class="ours"' if place == 0 else ""
        parts.append(f'<polyline{kind}{dashes} points="{" ".join(f"{left},{top}" for left, top in points)}"/>')
        parts += [f'<circle{kind} cx="{left}" cy="{top}" r="{3 if place == 0 else 2}"/>' for left, top in points]
        parts.append(f'<text x="{WIDTH - _RIGHT + 6}" y="{round(ends[place] + 4, 1)}">{escape(name)}</text>')
    words = escape(of.title)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}"><title>{words}</title>'
    return f"{svg}{''.join(parts)}</svg>"


def _apart(places: Sequence[float]) -> list[float]:
    """Where the names stand, that none covers another: each as near to the end of its line as those above leave it.

    >>> _apart([100.0, 102.0, 40.0])
    [100.0, 114.0, 40.0]
    """
    found, free = [0.0] * len(places), 0.0
    for place in sorted(range(len(places)), key=lambda each: places[each]):
        found[place] = max(places[place], free)
        free = found[place] + _LINE_PX
    over = max(0.0, free - _LINE_PX - (HEIGHT - _BOTTOM))
    return [place - over for place in found]
