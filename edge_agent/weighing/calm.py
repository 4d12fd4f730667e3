"""The hot path: as long as nothing deviates from the level, the level and the noise learn."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge_agent.weighing.looks import Cleaned
from edge_agent.weighing.trace import Phase, Rest

SUDDEN = 6.0  # noises: one look so far from the level begins a movement
GRADUAL = 4.5  # standard deviations: a second of looks so far from the level begins one
CALM_S = 30.0  # memory of the learnt noise
OF_MEAN_DEVIATION = math.sqrt(math.pi / 2)  # a normal distribution's standard deviation


def watched(
    rest: Rest,
    looks: Sequence[Cleaned],
    first: int,
    interval_s: float,
    guard_ms: int,
    floor_g: float,
    smoothed: Callable[[float, float], tuple[float, float]],
) -> tuple[Rest, int, Phase]:
    """The rest after these looks, the next look to take, and what comes: more rest, a movement, or nothing was seen.

    Stops early when the rest is due to be looked at.
    """
    level_g, weighs_s, level_ms, noise_g = rest.level_g, rest.weighs_s, rest.level_ms, rest.noise_g or 0.0
    guard = list(rest.guard)
    guard_g = sum(gross_g for _, gross_g in guard)
    full = max(2, round(guard_ms / 1000 / interval_s))
    sudden_g, gradual_g = alarms_g(noise_g, floor_g, full)
    learning = OF_MEAN_DEVIATION * min(0.25, interval_s / CALM_S)
    forgetting = min(0.25, interval_s / CALM_S)
    phase = Phase.REST
    i = first
    for i in range(first, len(looks)):
        ms, gross_g = looks[i]
        if gross_g is None:
            phase = Phase.UNKNOWN
            break
        guard.append((ms, gross_g))
        guard_g += gross_g
        n = len(guard)
        if abs(gross_g - level_g) > sudden_g or (n >= full and abs(guard_g / n - level_g) > gradual_g):
            phase = Phase.MOVING
            break
        if ms - guard[0][0] < guard_ms:
            continue
        old_ms, old_g = guard.pop(0)
        guard_g -= old_g
        gain, weighs_s = smoothed(weighs_s, interval_s)
        apart_g = old_g - level_g
        level_g += gain * apart_g
        level_ms += gain * (old_ms - level_ms)
        noise_g += learning * abs(old_g - level_g) - forgetting * noise_g
        if ms >= rest.due_ms:
            break
    after = replace(
        rest, level_g=level_g, weighs_s=weighs_s, level_ms=level_ms, noise_g=noise_g, guard=tuple(guard)
    )  # fmt: skip
    return after, i + 1, phase


def alarms_g(noise_g: float, floor_g: float, full: int) -> tuple[float, float]:
    """How far one look, and how far a second of looks, may be from the level.

    >>> alarms_g(1.0, 5.0, 9)
    (6.0, 2.0)
    """
    return max(SUDDEN * noise_g, floor_g / 2), max(GRADUAL * noise_g / math.sqrt(full), 0.4 * floor_g)
