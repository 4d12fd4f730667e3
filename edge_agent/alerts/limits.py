"""The limits of a place: which value each looks at, how long it waits, and what it says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge_agent.alerts.air import wetness_k
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.excursion import Excursion, Limit, Side
from edge_agent.alerts.moment import Moment
from edge_agent.alerts.settings import PlaceSettings
from edge_agent.domain.alarm import Priority

HUMIDITY_DWELL_S = 3 * 3600.0
HUMIDITY_DEADBAND_PCT = 3.0
CHILLING_DWELL_S = 3600.0  # bananas and basil suffer within hours
WET_K = 1.0  # below the dew point: two sensors of 0.5 K
WET_DEADBAND_K = 0.5
WET_DWELL_S = 900.0
KEYS = frozenset(
    {"temperature-high", "temperature-low", "critical-high", "critical-low"}
    | {"freezing", "chilling", "condensation", "dry", "humid"}
)  # of every rule that has an alarm
FOOD = "food"  # the rule that only the record and the food clock's alarms look at
FOOD_DWELL_S = 300.0  # of the excursion in the record: the food clock itself counts from the first second


@dataclass(frozen=True, slots=True)
class Rule:
    key: str  # the alarm's name without the place's
    of: str  # what is looked at: air, product, humidity, wetness
    limit: Limit
    priority: Priority
    action: str
    unit: str = "°C"
    is_excusable: bool = False  # a start, a defrost
    concerns_goods: bool = False  # stays until somebody has seen it, and asks what was done
    is_recorded: bool = True
    swings: bool = True  # with a thermostat and its defrosts, say: one cause, many times


_ON_COOLING = "Check the door, then the setpoint and the compressor"
_ON_GOODS = "Measure the goods, move them to the cold or discard them, and say what was done"


def rules(place: PlaceSettings, food_limit_c: float | None) -> Iterator[Rule]:
    """The place's own, in the order they are told."""
    of = place.critical_on
    if place.high_c is not None:
        limit = _limit(place, place.high_c, Side.ABOVE, place.dwell_s)
        yield Rule("temperature-high", "air", limit, Priority.MEDIUM, _ON_COOLING, is_excusable=True)
    if place.low_c is not None:
        limit = _limit(place, place.low_c, Side.BELOW, place.dwell_s)
        action = "Check the setpoint and the thermostat"
        yield Rule("temperature-low", "air", limit, Priority.MEDIUM, action, is_excusable=True)
    if place.critical_high_c is not None:
        limit = _limit(place, place.critical_high_c, Side.ABOVE, place.critical_dwell_s)
        yield Rule("critical-high", of, limit, Priority.HIGH, _ON_GOODS, concerns_goods=True, swings=False)
    if place.critical_low_c is not None:
        limit = _limit(place, place.critical_low_c, Side.BELOW, place.critical_dwell_s)
        yield Rule("critical-low", of, limit, Priority.HIGH, _ON_GOODS, concerns_goods=True, swings=False)
    if food_limit_c is not None:
        limit = _limit(place, food_limit_c, Side.ABOVE, FOOD_DWELL_S)
        yield Rule(FOOD, "product", limit, Priority.HIGH, "", concerns_goods=True)  # its alarms are the clock's
    if place.chills_c is not None:
        limit = _limit(place, place.chills_c, Side.BELOW, CHILLING_DWELL_S)
        yield Rule("chilling", "product", limit, Priority.MEDIUM, "Move what suffers from cold to a warmer place")
    yield from _of_humidity(place)


def _of_humidity(place: PlaceSettings) -> Iterator[Rule]:
    if place.kind.value != "frozen":
        limit = Limit(WET_K, Side.ABOVE, WET_DWELL_S, WET_DEADBAND_K, place.off_delay_s)
        action = "Keep the door shut, wipe what is wet, let deliveries cool down before they are stacked"
        yield Rule("condensation", "wetness", limit, Priority.LOW, action, "K", is_recorded=False)
    for key, value, side in (("dry", place.dry_pct, Side.BELOW), ("humid", place.humid_pct, Side.ABOVE)):
        if value is not None:
            limit = Limit(value, side, HUMIDITY_DWELL_S, HUMIDITY_DEADBAND_PCT, place.off_delay_s)
            action = "Cover open produce, check the humidifier" if key == "dry" else "Check the door and the drain"
            yield Rule(key, "humidity", limit, Priority.LOW, action, "%", is_recorded=False)


def _limit(place: PlaceSettings, value: float, side: Side, dwell_s: float) -> Limit:
    return Limit(value, side, dwell_s, place.deadband_c, place.off_delay_s)


def values(moment: Moment) -> Mapping[str, float | None]:
    """What the rules look at."""
    return {
        "air": moment.air_c,
        "product": moment.product_c,
        "humidity": moment.humidity_pct,
        "wetness": wetness_k(moment.air_c, moment.humidity_pct, moment.product_c),
    }


def condition(place: PlaceSettings, rule: Rule, state: Excursion, goods: str) -> Condition:
    """``goods``: what lies there, in words."""
    return Condition(
        name=f"{place.name}-{rule.key}",
        holds=state.holds,
        priority=rule.priority,
        message=_message(place, rule, state, goods),
        action=rule.action,
        place=place.name,
        value=None if state.last is None else round(state.last, 2),
        limit=rule.limit.value,
        unit=rule.unit,
        deadband=rule.limit.deadband,
        dwell_s=rule.limit.dwell_s,
        needs_acknowledgement=rule.concerns_goods,
        asks_correction=rule.concerns_goods,
        began=state.begun,
        swings=rule.swings,
    )


def _message(place: PlaceSettings, rule: Rule, state: Excursion, goods: str) -> str:
    named = in_words(place)
    what = {
        "air": "air",
        "product": "goods",
        "humidity": "humidity",
        "wetness": "dew point",
        "exposed": "goods in the draught",
    }[rule.of]
    if not state.holds:
        return f"{named}: {what} back within {rule.limit.value:g} {rule.unit}"
    if rule.of == "wetness":
        return f"{named}: the goods are colder than the dew point of the air and get wet"
    if rule.of == "exposed":
        return f"{named}: goods in the draught freeze, or will within ten minutes; lowest {state.extreme or 0.0:.1f} °C"
    where = f"{rule.limit.side.value} {rule.limit.value:g} {rule.unit} for {duration(state.outside_s)}"
    lying = f"; there lie {goods}" if goods and rule.concerns_goods else ""
    return f"{named}: {what} {where}, {state.last or 0.0:.1f} {rule.unit} now{lying}"


def in_words(place: PlaceSettings) -> str:
    """
    >>> in_words(PlaceSettings("cold-room"))
    'Cold room'
    """
    return place.name.replace("-", " ").capitalize()


def duration(seconds: float) -> str:
    """
    >>> duration(90.0), duration(5400.0), duration(7200.0), duration(20.0)
    ('2 min', '1 h 30 min', '2 h', '20 s')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
