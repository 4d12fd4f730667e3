"""Temperatures of one place as SVG: nothing is left out, for each bucket shows its least and its most.

Told apart by dashes, hatching and words too, not by colour alone: the page is printed in black and white.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape

from edge_agent.exchange.haccp import InForce, Period, Place, Range

WIDTH, HEIGHT = 1000, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 96, 10, 34
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIMITS = (  # key of the settings, its words, its dashes
    ("low_c", "low", "6 3"),
    ("high_c", "high", "6 3"),
    ("critical_low_c", "critical low", ""),
    ("critical_high_c", "critical high", ""),
    ("food_limit_c", "food limit", "2 3"),
)
_DAY_MS = 86_400_000
_STEPS_C = (0.5, 1, 2, 5, 10, 20, 50)


@dataclass(frozen=True, slots=True)
class _Frame:
    period: Period
    low_c: float
    high_c: float

    def x(self, at_ms: float) -> float:
        share = (at_ms - self.period.begin_ms) / (self.period.end_ms - self.period.begin_ms)
        return round(_LEFT + min(1.0, max(0.0, share)) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value_c: float) -> float:
        share = (value_c - self.low_c) / (self.high_c - self.low_c)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def temperatures(place: Place, period: Period, zone: tzinfo) -> str:
    """One picture. Empty when nothing was measured."""
    shown = [*place.air.values(), *place.product.values()]
    if not shown:
        return ""
    frame = _frame(shown, place.settings, period)
    parts = [
        *_grid(frame, zone),
        *(_shade(frame, gap.begin_ms, gap.end_ms, "gap") for gap in place.gaps),
        *(_shade(frame, found.begin_ms, found.end_ms, "excursion") for found in place.excursions),
        *_bands(frame, place.air, place.bucket_ms, "air"),
        *_bands(frame, place.product, place.bucket_ms, "product"),
        *_limits(frame, place.settings),
        *_marks(frame, place),
    ]
    title = escape(f"Temperature of {place.name}, °C")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>'
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<line x1="0" y1="0" x2="0" y2="6" class="hatch"/></pattern></defs>{"".join(parts)}</svg>'
    )


def _frame(shown: Iterable[Range], settings: Iterable[InForce], period: Period) -> _Frame:
    ranges = list(shown)
    limits = [value for each in settings for key, *_ in _LIMITS if (value := each.limit(key)) is not None]
    low = min([*(found.least for found in ranges), *limits])
    high = max([*(found.most for found in ranges), *limits])
    margin = max(0.5, 0.05 * (high - low))
    return _Frame(period, low - margin, high + margin)


def _grid(frame: _Frame, zone: tzinfo) -> Iterator[str]:
    step_c = next((step for step in _STEPS_C if (frame.high_c - frame.low_c) / step <= 8), _STEPS_C[-1])
    value_c = step_c * (frame.low_c // step_c + 1)
    while value_c < frame.high_c:
        y = frame.y(value_c)
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value_c:g}</text>'
        value_c += step_c
    for at_ms, words in _ticks(frame.period, zone):
        x = frame.x(at_ms)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
        yield f'<text x="{x}" y="{HEIGHT - _BOTTOM + 14}" text-anchor="middle">{words}</text>'


def _ticks(period: Period, zone: tzinfo) -> Iterator[tuple[int, str]]:
    """Local midnights, at most about sixteen; hours for a period of up to two days."""
    days = (period.end_ms - period.begin_ms) / _DAY_MS
    begin = (_EPOCH + timedelta(milliseconds=period.begin_ms)).astimezone(zone)
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    every = timedelta(hours=6) if days <= 2 else timedelta(days=max(1, round(days / 16)))
    form = "%d %b %H:%M" if days <= 2 else "%d %b"
    for step in range(400):
        naive = midnight + step * every
        at_ms = round(naive.replace(tzinfo=zone).timestamp() * 1000)
        if at_ms >= period.end_ms:
            return
        if at_ms >= period.begin_ms:
            yield at_ms, f"{naive:{form}}"


def _shade(frame: _Frame, begin_ms: int | None, end_ms: int | None, kind: str) -> str:
    left = frame.x(frame.period.begin_ms if begin_ms is None else begin_ms)
    width = max(1.0, round(frame.x(frame.period.end_ms if end_ms is None else end_ms) - left, 1))
    return f'<rect class="{kind}" x="{left}" y="{_TOP}" width="{width}" height="{HEIGHT - _TOP - _BOTTOM}"/>'


def _bands(frame: _Frame, found: Mapping[int, Range], bucket_ms: int, kind: str) -> Iterator[str]:
    """From the least to the most of each bucket, with the mean in between; broken where nothing was measured."""
    for run in _runs(found):
        xs = [frame.x(frame.period.begin_ms + (bucket + 0.5) * bucket_ms) for bucket, _ in run]
        if len(xs) == 1:  # one bucket alone has no width of its own
            xs, run = [round(xs[0] - 0.6, 1), round(xs[0] + 0.6, 1)], run * 2
        over = [f"{x},{frame.y(each.most)}" for x, (_, each) in zip(xs, run, strict=True)]
        under = [f"{x},{frame.y(each.least)}" for x, (_, each) in zip(xs, run, strict=True)]
        mean = [f"{x},{frame.y(each.mean)}" for x, (_, each) in zip(xs, run, strict=True)]
        yield f'<polygon class="{kind}-band" points="{" ".join([*over, *reversed(under)])}"/>'
        yield f'<polyline class="{kind}" points="{" ".join(mean)}"/>'


def _runs(found: Mapping[int, Range]) -> Iterator[list[tuple[int, Range]]]:
    run: list[tuple[int, Range]] = []
    for bucket in sorted(found):
        if run and bucket != run[-1][0] + 1:
            yield run
            run = []
        run.append((bucket, found[bucket]))
    if run:
        yield run


def _limits(frame: _Frame, settings: list[InForce]) -> Iterator[str]:
    """Each from when it came into force to the next change; named where it ends."""
    for key, words, dashes in _LIMITS:
        for index, each in enumerate(settings):
            value = each.limit(key)
            if value is None:
                continue
            begin_ms = frame.period.begin_ms if each.from_ms is None else each.from_ms
            following = settings[index + 1].from_ms if index + 1 < len(settings) else None
            end_ms = frame.period.end_ms if following is None else following
            y = frame.y(value)
            yield (
                f'<line class="limit" stroke-dasharray="{dashes}" x1="{frame.x(begin_ms)}" x2="{frame.x(end_ms)}"'
                f' y1="{y}" y2="{y}"/>'
            )
            if following is None:
                yield f'<text x="{WIDTH - _RIGHT + 4}" y="{y + 4}">{words} {value:g}</text>'


def _marks(frame: _Frame, place: Place) -> Iterator[str]:
    """D below the axis for a defrost."""
    y = HEIGHT - _BOTTOM
    for found in place.defrosts:
        at_ms = found.end_ms if found.begin_ms is None else found.begin_ms
        if at_ms is not None and frame.period.has(at_ms):
            x = frame.x(at_ms)
            yield f'<path class="defrost" d="M{x} {y} l-3 -6 h6 z"/>'
