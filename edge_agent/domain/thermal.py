"""How a body follows the air around it: one time constant, solved exactly; and how long it was beyond a limit."""

from dataclasses import dataclass
from math import exp, log


@dataclass(frozen=True, slots=True)
class Course:
    """One step of a body that follows the air: at both ends, and how long it was above a limit."""

    before_c: float
    after_c: float
    duration_s: float


def followed(before_c: float, air_before_c: float, air_c: float, after_s: float, time_constant_s: float) -> float:
    """dT/dt = (air - T) / tau, solved exactly for air that changed evenly since the moment before.

    >>> round(followed(4.0, 20.0, 20.0, 7200.0, 7200.0), 2)  # 63 % of the step
    14.11
    >>> followed(4.0, 20.0, 8.0, 60.0, 0.0)  # no pack at all
    8.0
    """
    if time_constant_s <= 0:
        return air_c
    if after_s <= 0:
        return before_c
    lag_c = (air_c - air_before_c) / after_s * time_constant_s  # in the end it trails evenly changing air by so much
    return air_c - lag_c + (before_c - air_before_c + lag_c) * exp(-after_s / time_constant_s)


def above_s(course: Course, limit_c: float) -> float:
    """How long of a short step: as if it had changed evenly.

    >>> above_s(Course(4.0, 6.0, 600.0), 5.0), above_s(Course(6.0, 4.0, 600.0), 5.5), above_s(Course(6.0, 7.0, 60.0), 5)
    (300.0, 150.0, 60.0)
    """
    low, high = sorted((course.before_c, course.after_c))
    if low > limit_c:
        return course.duration_s
    if high <= limit_c:
        return 0.0
    return course.duration_s * (high - limit_c) / (high - low)


def above_at_most_s(
    before_c: float, warmest_c: float, duration_s: float, time_constant_s: float, limit_c: float
) -> float:
    """Of a time in which nothing was measured: as if the air had been at its warmest from the first second on.

    Air that warmed steadily, as in a power cut, was never warmer than at one of the two ends.

    >>> round(above_at_most_s(4.0, 9.0, 4 * 3600.0, 7200.0, 5.0) / 3600, 2)  # 5 °C after tau * ln(5 / 4) = 0.45 h
    3.55
    >>> above_at_most_s(6.0, 3.0, 3600.0, 7200.0, 5.0)  # it was above before
    3600.0
    """
    if before_c > limit_c:
        return duration_s
    if warmest_c <= limit_c:
        return 0.0
    until_s = time_constant_s * log((warmest_c - before_c) / (warmest_c - limit_c))
    return max(0.0, duration_s - until_s)
