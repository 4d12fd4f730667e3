"""The plots of the accuracy for a terminal: one line a week, ours among the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.exchange.models_html import Plot

LEAST_WIDTH, MOST_WIDTH = 20, 72  # of the scale


@dataclass(frozen=True, slots=True)
class Marks:
    ours: str
    begin: str
    through: str
    end: str
    one: str  # where the others are all in one place


LINES = Marks("●", "├", "─", "┤", "│")
ASCII = Marks("o", "[", "-", "]", "|")  # for terminals that know no others


def dots(of: Plot, width: int, marks: Marks = LINES) -> Iterator[str]:
    """Title, scale, and a line a week, the others from the least to the greatest. Nothing where there is no week.

    >>> from datetime import date
    >>> for line in dots(Plot("Loss", {date(2026, 11, 23): {"ours": 0.2, "ses": 0.3, "theta": 0.4}}), 33, ASCII):
    ...     print(line)
    Loss
                0.2               0.4
    2026-11-23  o         [---------]
    """
    if not of.weeks:
        return
    values = [value for row in of.weeks.values() for value in row.values()]
    low, high = min(values), max(values)
    scale = max(LEAST_WIDTH, min(MOST_WIDTH, width - 12))
    step = (high - low) / (scale - 1) or 1.0
    yield of.title
    yield f"{'':12}{low:<{scale - 8}.3g}{high:>8.3g}"
    for day in sorted(of.weeks):
        ours, *others = (round((value - low) / step) for value in of.weeks[day].values())
        cells = [" "] * scale
        if others:
            first, last = min(others), max(others)
            cells[first : last + 1] = [marks.through] * (last - first + 1)
            cells[first], cells[last] = (marks.begin, marks.end) if last > first else (marks.one, marks.one)
        cells[ours] = marks.ours
        yield f"{day.isoformat():12}{''.join(cells)}".rstrip()


def legend(others: str, marks: Marks = LINES, *, is_range: bool = True) -> str:
    return f"{marks.ours} ours   {marks.begin + marks.through + marks.end if is_range else marks.one} {others}"
