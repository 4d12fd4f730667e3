"""Goods that must not freeze: told while something can still be done.

What lies in the draught follows the air much faster than the pack as a whole, so the air is watched through it, and
what counts is where it will be in ten minutes if the air stays as it is.
"""

from dataclasses import dataclass

from edge_agent.alerts.excursion import Limit, Side
from edge_agent.alerts.limits import Rule
from edge_agent.domain.alarm import Priority
from edge_agent.domain.thermal import followed

MARGIN_C = 0.3  # above the freezing point: what a good probe may be wrong by
EXPOSED_SHARE = 1 / 6  # of the pack's time constant: its outer layer; of a bottle 20 min
LEAST_EXPOSED_S = 600.0
AHEAD_S = 600.0
AIR_S = 1000.0  # the air below the freezing point without a break: three readings of a slow logger, no valve's swing
DEADBAND_C = 0.5


@dataclass(frozen=True, slots=True)
class Exposed:
    """What lies nearest to the evaporator."""

    temperature_c: float | None = None
    air_c: float | None = None
    air_below_s: float | None = None  # the air below the freezing point; None: it is not


def follow(exposed: Exposed, air_c: float, after_s: float, freezing_c: float, time_constant_s: float) -> Exposed:
    """``after_s`` infinite: nobody knows how long; then the goods are where the air is."""
    if exposed.temperature_c is None or exposed.air_c is None or after_s == float("inf"):
        return Exposed(air_c, air_c, 0.0 if air_c < freezing_c else None)
    temperature_c = followed(exposed.temperature_c, exposed.air_c, air_c, after_s, exposed_s(time_constant_s))
    below_s = None if air_c >= freezing_c else 0.0 if exposed.air_below_s is None else exposed.air_below_s + after_s
    return Exposed(temperature_c, air_c, below_s)


def exposed_s(time_constant_s: float) -> float:
    """
    >>> exposed_s(7200.0), exposed_s(0.0)
    (1200.0, 600.0)
    """
    return max(LEAST_EXPOSED_S, EXPOSED_SHARE * time_constant_s)


def ahead_c(exposed: Exposed, core_c: float | None, time_constant_s: float) -> float | None:
    """Where the exposed goods will be in ten minutes if the air stays; or what a probe says, if that is colder.

    The margin is the probe's: what is only foreseen must pass the freezing point itself.
    """
    if exposed.air_c is None or exposed.temperature_c is None:
        return core_c
    constant_s = exposed_s(time_constant_s)
    ahead = followed(exposed.temperature_c, exposed.air_c, exposed.air_c, AHEAD_S, constant_s) + MARGIN_C
    return ahead if core_c is None else min(ahead, core_c)


def is_meant(exposed: Exposed, core_c: float | None, limit_c: float) -> bool:
    """The air is cold for long enough to mean it, or a probe says that the goods are there already."""
    if core_c is not None and core_c < limit_c:
        return True
    return exposed.air_below_s is not None and exposed.air_below_s >= AIR_S


def rule(freezing_c: float, off_delay_s: float) -> Rule:
    limit = Limit(freezing_c + MARGIN_C, Side.BELOW, 0.0, DEADBAND_C, off_delay_s)
    action = "Set the thermostat higher, move what lies in the draught, and look whether anything froze"
    return Rule("freezing", "exposed", limit, Priority.HIGH, action, concerns_goods=True)
