"""What the food clock says to the people in the room."""

from edge_agent.alerts import food_clock
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.limits import duration, in_words
from edge_agent.alerts.settings import FoodLimit, FoodSettings, PlaceSettings, Region
from edge_agent.alerts.warmth import Warmth
from edge_agent.domain.alarm import Priority

KEYS = frozenset({"food-warning", "food-safety"})
SINGLE_PERIOD = (Region.ENGLAND, Region.WALES, Region.NORTHERN_IRELAND, Region.SCOTLAND)


def conditions(
    place: PlaceSettings, food: FoodSettings, limit: FoodLimit, warmth: Warmth, goods: str, *, is_warm: bool
) -> tuple[Condition, Condition]:
    """The warning and the end of the tolerance. ``is_warm``: the goods are above their limit for some minutes."""
    clock = warmth.clock
    tolerance_s = food_clock.tolerance_s(clock, food)
    holds = is_warm or clock.is_above
    is_over = clock.above_s >= tolerance_s
    is_second = is_warm and food.region in SINGLE_PERIOD and clock.periods > 1
    is_warned = (holds and clock.above_s >= 3600 * food.warn_h) or is_second
    evidence = _evidence(warmth, is_second=is_second)
    return (
        _condition(
            place, "food-warning", Priority.MEDIUM, limit, warmth, tolerance_s, goods, evidence,
            holds=is_warned and not is_over,
            action="Cool the goods now; what cannot be cooled in time is used first or discarded",
        ),
        _condition(
            place, "food-safety", Priority.HIGH, limit, warmth, tolerance_s, goods, evidence,
            holds=holds and is_over,
            action="Discard what was too warm for too long, or have it judged; say what was done",
        ),
    )  # fmt: skip


def _evidence(warmth: Warmth, *, is_second: bool) -> str:
    found = []
    if warmth.clock.assumed_s > 0:
        found.append(f"{duration(warmth.clock.assumed_s)} of it nobody measured")
    if warmth.unsure is not None:
        found.append("switched off for a time that is not known yet")
    if is_second:
        found.append(f"period {warmth.clock.periods}: the rule allows one for the same goods")
    return "; ".join(found)


def _condition(
    place: PlaceSettings,
    key: str,
    priority: Priority,
    limit: FoodLimit,
    warmth: Warmth,
    tolerance_s: float,
    goods: str,
    evidence: str,
    *,
    holds: bool,
    action: str,
) -> Condition:
    lying = f"; there lie {goods}" if goods else ""
    by = "recommended limit" if limit.is_recommended else "limit"
    said = (
        f"goods above {limit.limit_c:g} °C for {duration(warmth.clock.above_s)} in all, "
        f"{duration(tolerance_s)} are allowed ({by}: {limit.source}){lying}"
    )
    over = f"goods at or below {limit.limit_c:g} °C; they were above for {duration(warmth.clock.above_s)} in all"
    return Condition(
        name=f"{place.name}-{key}",
        holds=holds,
        priority=priority,
        message=f"{in_words(place)}: {said if holds else over}",
        action=action,
        evidence=evidence,
        place=place.name,
        value=None if warmth.product_c is None else round(warmth.product_c, 2),
        limit=limit.limit_c,
        unit="°C",
        dwell_s=tolerance_s if priority is Priority.HIGH else None,
        needs_acknowledgement=priority is Priority.HIGH,
        asks_correction=priority is Priority.HIGH,
    )
