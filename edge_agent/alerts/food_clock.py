"""How long goods that need the cold were too warm, by the rule of the region: deterministic, and not soon forgotten.

Every region's clock adds up all time of the product above its limit; cooling the goods again stops it and does not set
it back. What sets it back is a person who says what was done with them, or so long in the cold (`carry_h`) that
nothing perishable there is still the same:

* US: what left its temperature is used or thrown away 4 h later (Food Code 3-501.19 (B)), 6 h if it never was above
  21 °C (3-501.19 (C)); ready-to-eat goods lie for 7 days at most (3-501.17).
* England, Wales, Northern Ireland: one period of less than 4 h, and not for goods that had one before (Schedule 4);
  the rule knows no second one, so here too 7 days.
* Scotland: no number in law; as in England.
* EU: "limited periods" without a number (852/2004, annex II, chapter IX (5)): the site's own plan, and a day.
"""

from dataclasses import dataclass, replace

from edge_agent.alerts.settings import FoodSettings, Region
from edge_agent.domain.instant import Instant

DAYS_7_H = 168.0
CARRY_H = {Region.EU: 24.0}  # elsewhere 7 days
SIX_HOURS_UP_TO_C = 21.0  # US Food Code 3-501.19 (C)
FOUR_HOURS_H = 4.0
ONE_PERIOD_S = 600.0  # cold for less is the same period still
ONE_STEP_S = 4 * 3600.0  # kept of a gap at most: longer changes nothing any more


@dataclass(frozen=True, slots=True)
class FoodClock:
    above_s: float = 0.0  # in all since it was set back
    below_s: float = 0.0  # cold since, without a break
    is_above: bool = False
    periods: int = 0
    highest_c: float | None = None
    begun: Instant | None = None
    assumed_s: float = 0.0  # of above_s: nobody measured, and it is held for warm


SET_BACK = FoodClock()


def passed(
    clock: FoodClock,
    limit_c: float,
    product_c: float,
    above_s: float,
    after_s: float,
    at: Instant,
    *,
    carry_h: float,
    is_assumed: bool = False,
) -> FoodClock:
    """After ``after_s`` of which the product was above for ``above_s``, and is at ``product_c`` now."""
    is_above = product_c > limit_c
    if above_s <= 0 and not is_above:
        below_s = clock.below_s + after_s
        if clock.begun is None or below_s >= 3600 * carry_h:
            return SET_BACK
        return replace(clock, below_s=below_s, is_above=False)
    is_new = clock.begun is None or (not clock.is_above and clock.below_s >= ONE_PERIOD_S)
    return FoodClock(
        above_s=clock.above_s + min(above_s, ONE_STEP_S),
        below_s=0.0,
        is_above=is_above,
        periods=clock.periods + (1 if is_new else 0),
        highest_c=product_c if clock.highest_c is None else max(clock.highest_c, product_c),
        begun=clock.begun or at,
        assumed_s=clock.assumed_s + (min(above_s, ONE_STEP_S) if is_assumed else 0.0),
    )


def tolerance_s(clock: FoodClock, food: FoodSettings) -> float:
    """
    >>> tolerance_s(FoodClock(highest_c=21.5), FoodSettings(Region.US, tolerance_h=6.0)) / 3600
    4.0
    """
    if clock.highest_c is not None and clock.highest_c > SIX_HOURS_UP_TO_C:
        return 3600 * min(food.tolerance_h, FOUR_HOURS_H)
    return 3600 * food.tolerance_h


def carry_h(food: FoodSettings) -> float:
    """Cold for so long without a break, and the clock is set back."""
    if food.carry_h is not None:
        return food.carry_h
    return DAYS_7_H if food.region is None else CARRY_H.get(food.region, DAYS_7_H)
