"""The temperatures goods lie in, one stretch after another, as the trials of the literature write them down.

``const:T``; ``step:10@1d;5@rest`` (the last stretch lasts); ``step:5 with 8h@25 once`` (also ``twice``, ``3 times``,
``daily``, ``every 2d``); ``cycle:2@12h;8@12h`` (for ever). Temperatures are the goods' own.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

LOW_C, HIGH_C = -5.0, 45.0  # goods that are neither frozen nor cooked
LEAST_D, LONGEST_D = 10 / 1440, 3650.0  # of a stretch: goods follow no shorter one
MOST_TIMES = 100
_DAYS = {"d": 1.0, "day": 1.0, "days": 1.0, "h": 1 / 24, "hours": 1 / 24, "min": 1 / 1440, "w": 7.0}
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_SPAN = re.compile(rf"\s*({_NUMBER})\s*([a-z]+)\s*\Z")
_STRETCH = re.compile(rf"\s*({_NUMBER})\s*°?C?\s*@\s*(\S.*?)\s*\Z", re.IGNORECASE)
_EXCURSION = re.compile(rf"\s*({_NUMBER})\s*°?C?\s+with\s+(\S+)@({_NUMBER})\s*°?C?\s*(.*?)\s*\Z", re.IGNORECASE)
_TIMES = re.compile(r"(\d+) ?(?:x|times)\Z")
_WORDS = {"": 1, "once": 1, "twice": 2}
_FIRST_EXCURSION_D = 1.0  # where the text does not say when: a day after the start, and then daily


class ProfileFault(ValueError):
    """A profile that cannot be read; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Stretch:
    temp_c: float
    days: float  # infinite for the last one of a profile that does not repeat

    def __post_init__(self) -> None:
        if not LOW_C <= self.temp_c <= HIGH_C:
            raise ProfileFault(f"{self.temp_c:g} °C: must be from {LOW_C:g} to {HIGH_C:g}")
        if not (LEAST_D <= self.days <= LONGEST_D or self.days == math.inf):
            raise ProfileFault(f"{self.days:g} d: must last from 10 min to {LONGEST_D:g} d")


@dataclass(frozen=True, slots=True)
class Profile:
    stretches: tuple[Stretch, ...]
    repeats: bool = False

    def walk(self) -> Iterator[Stretch]:
        """Without end where it repeats; else the last stretch is infinite."""
        while True:
            yield from self.stretches
            if not self.repeats:
                return

    @property
    def mean_c(self) -> float:
        """Of the lasting temperature: the last stretch, or the mean of one turn of the cycle."""
        if not self.repeats:
            return self.stretches[-1].temp_c
        days = sum(stretch.days for stretch in self.stretches)
        return sum(stretch.temp_c * stretch.days for stretch in self.stretches) / days


def constant(temp_c: float) -> Profile:
    return Profile((Stretch(temp_c, math.inf),))


def read_profile(text: str) -> Profile:
    """Raises ProfileFault.

    >>> read_profile("step:10@1d;5@rest").stretches
    (Stretch(temp_c=10.0, days=1.0), Stretch(temp_c=5.0, days=inf))
    """
    form, colon, body = text.partition(":")
    form = form.strip().lower()
    if not colon or form not in ("const", "step", "cycle"):
        raise ProfileFault(f"{text!r}: must be const:T, step:T@2d;T@rest, step:T with 8h@T once, or cycle:T@12h;T@12h")
    if form == "const":
        return constant(_number(body, text))
    excursion = _EXCURSION.match(body) if form == "step" else None
    if excursion:
        base, span, high, times = excursion.groups()
        return _with_excursions(float(base), days(span), float(high), times.lower())
    pieces = [piece for piece in body.split(";") if piece.strip()]
    stretches = [
        _stretch(piece, last=form == "step" and index == len(pieces) - 1) for index, piece in enumerate(pieces)
    ]
    if not stretches:
        raise ProfileFault(f"{text!r}: must have stretches such as 10@1d;5@rest")
    return Profile(tuple(stretches), repeats=form == "cycle")


def _number(body: str, text: str) -> float:
    try:
        value = float(body.strip().removesuffix("C").removesuffix("°"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ProfileFault(f"{text!r}: after the colon must stand a temperature in °C")
    return value


def days(text: str) -> float:
    """
    >>> days("36h")
    1.5
    """
    found = _SPAN.match(text.lower())
    if found is None or found[2] not in _DAYS:
        raise ProfileFault(f"{text!r}: must be a length of time such as 2d, 12h or 90min")
    return float(found[1]) * _DAYS[found[2]]


def _stretch(piece: str, *, last: bool) -> Stretch:
    found = _STRETCH.match(piece)
    if found is None:
        raise ProfileFault(f"{piece!r}: must be temperature@time, such as 10@1d or 5@rest")
    if found[2].lower() == "rest":
        if not last:
            raise ProfileFault(f"{piece!r}: the rest must be the last stretch")
        return Stretch(float(found[1]), math.inf)
    length = days(found[2])
    return Stretch(float(found[1]), math.inf if last else length)  # what comes after a trial's last step is not told


def _with_excursions(base_c: float, length_d: float, high_c: float, times: str) -> Profile:
    high = Stretch(high_c, length_d)
    every = 1.0 if times == "daily" else days(times.removeprefix("every ")) if times.startswith("every ") else None
    if every is not None:
        return Profile((Stretch(base_c, every - length_d), high), repeats=True)
    count = _WORDS.get(times)
    found = _TIMES.match(times)
    if count is None and found is None:
        raise ProfileFault(f"{times!r}: must be once, twice, 3 times, daily or every 2d")
    turns = count if count is not None else int(found[1]) if found else 1
    if not 1 <= turns <= MOST_TIMES:
        raise ProfileFault(f"{times!r}: must be from 1 to {MOST_TIMES} times")
    pairs = (Stretch(base_c, _FIRST_EXCURSION_D), high) * turns
    return Profile((*pairs, Stretch(base_c, math.inf)))
