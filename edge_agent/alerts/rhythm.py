"""What light and sound do from moment to moment: levels one after another, on the clock of whoever plays them."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

from edge_agent.domain.annunciation import Annunciation, Colour, Light

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rhythm(Generic[T]):
    steps: tuple[tuple[T, int], ...]  # level, and for how many ms; one step alone is for ever
    rounds: int | None = None  # None: again and again


@dataclass(frozen=True, slots=True)
class Level(Generic[T]):
    value: T
    left_ms: int | None  # until it changes; None: never


Lit = Rhythm[Colour | None]
Sound = Rhythm[bool]

# Flashing 2 Hz, slow 0.5 Hz, both lit half of the time: the middle of IEC 60601-1-8 table 2. The two others are the
# agent's own, and like neither.
_LIT_MS: dict[Light, tuple[int, ...]] = {  # lit, dark, lit, dark, ...
    Light.FLASHING: (250, 250),
    Light.SLOW: (1000, 1000),
    Light.BLIP: (60, 4940),
    Light.DOUBLE: (120, 180, 120, 1580),
}
# Pulse, gap, pulse, ... of a burst (IEC 60601-1-8 tables 3 and 4): pulses of 75 to 200 ms 50 to 125 ms apart for high
# priority, with a longer gap after the third; of 125 to 250 ms as far apart for the others. Far from temporal-3
# (ISO 8201, evacuate: three of 500 ms, 500 ms apart) and temporal-4 (carbon monoxide: four of 100 ms).
_BURSTS_MS: dict[int, tuple[int, ...]] = {
    5: (150, 100, 150, 100, 150, 350, 150, 100, 150),
    3: (200, 200, 200, 200, 200),
    1: (200,),
}
_BLINK_MS = 250
_DIGIT_GAP_MS = 1250
_NUMBER_GAP_MS = 2500
_TEST_MS = 150
_CHIRP_MS = 80
_WINK_MS = 100


def at(rhythm: Rhythm[T], elapsed_ms: int) -> Level[T] | None:
    """The level so long after it began; None once it is over.

    >>> at(Rhythm((("lit", 250), ("dark", 250))), 740), at(Rhythm((("lit", 250), ("dark", 250)), rounds=1), 740)
    (Level(value='lit', left_ms=10), None)
    """
    if len(rhythm.steps) == 1 and rhythm.rounds is None:
        return Level(rhythm.steps[0][0], None)
    ends_ms = list(accumulate(ms for _, ms in rhythm.steps))
    rounds, within_ms = divmod(max(0, elapsed_ms), ends_ms[-1])
    if rhythm.rounds is not None and rounds >= rhythm.rounds:
        return None
    return next(
        Level(value, end_ms - within_ms)
        for (value, _), end_ms in zip(rhythm.steps, ends_ms, strict=True)
        if within_ms < end_ms
    )


def light(told: Annunciation) -> Lit:
    if told.light in (Light.OFF, Light.STEADY):
        return steady(told.colour if told.light is Light.STEADY else None)
    return Rhythm(_alternating(told.colour, _LIT_MS[told.light]))


def steady(colour: Colour | None) -> Lit:
    return Rhythm(((colour, 0),))


def sound(told: Annunciation) -> Sound:
    """A burst at once, and again every ``every_s``."""
    if not told.pulses:
        return Rhythm(((False, 0),))
    burst_ms = _BURSTS_MS[told.pulses]
    rest_ms = max(1000, round(1000 * told.every_s) - sum(burst_ms))
    return Rhythm((*((index % 2 == 0, ms) for index, ms in enumerate(burst_ms)), (False, rest_ms)))


def identification(seconds: float) -> Lit:
    return Rhythm(_alternating(Colour.WHITE, (_BLINK_MS, _BLINK_MS)), max(1, round(500 * seconds / _BLINK_MS)))


def number(value: int) -> Lit:
    """Twice, each digit as so many blinks, a nought as ten.

    >>> sum(colour is not None for colour, _ in number(20).steps)
    12
    """
    steps: tuple[tuple[Colour | None, int], ...] = ()
    for digit in str(value):
        blinks = _alternating(Colour.WHITE, (_BLINK_MS, _BLINK_MS)) * (int(digit) or 10)
        steps += (*blinks, (None, _DIGIT_GAP_MS))
    return Rhythm(((None, _NUMBER_GAP_MS), *steps), 2)


def lamp_test() -> tuple[Lit, Sound]:
    """Every colour and one chirp, in less than a second: short enough that no warning waits for it."""
    return Rhythm(tuple((colour, _TEST_MS) for colour in Colour), 1), Rhythm(((True, _CHIRP_MS), (False, 1)), 1)


def wink(now: Colour | None) -> Lit:
    """A press was heard: dark for a moment where it is lit, lit where it is dark."""
    return Rhythm(((Colour.WHITE if now is None else None, _WINK_MS),), 1)


def _alternating(colour: Colour, lit_ms: tuple[int, ...]) -> tuple[tuple[Colour | None, int], ...]:
    return tuple((colour if index % 2 == 0 else None, ms) for index, ms in enumerate(lit_ms))
