"""What an earlier configuration left standing at the broker: alarms of sensors, stock of shelves that are no more."""

from collections.abc import Collection, Iterable, Mapping

from edge_agent.alerts import life
from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality
from edge_agent.domain.stock import Balance, StockState

SENSOR_ALARMS = ("sensor-", "doubt-")  # and the sensor: alerts/sensor_fault.py, alerts/sensor_doubt.py
SHELF_ALARMS = ("scale-", "cal-")  # and the shelf: decide/shelves.py, service/scales.py
NOT_CONFIGURED = "not-configured"  # fault code of a shelf that the configuration does not name any more


def orphaned_alarms(
    alarms: Mapping[str, Alarm],
    sensors: Collection[str],
    shelves: Collection[str],
    now: Instant,
    places: Collection[str] = (),
) -> list[AlarmTransition]:
    """Back to normal: nobody observes their sensor, shelf or place any more, so nothing else would ever end them."""
    return [
        life.ended(alarm, now, f"{gone} any more")
        for name, alarm in alarms.items()
        if alarm.state is not AlarmState.NORMAL
        and (gone := _gone(name, sensors, shelves) or _place_gone(alarm, places))
    ]


def _gone(alarm: str, sensors: Collection[str], shelves: Collection[str]) -> str:
    """
    >>> _gone("cal-old", [], ["new"]), _gone("sensor-a", ["a"], []), _gone("doubt-b", ["a"], [])
    ('the shelf is not configured', '', 'the sensor is not configured')
    >>> _gone("storage", [], [])
    ''
    """
    for prefixes, known, what in ((SENSOR_ALARMS, sensors, "sensor"), (SHELF_ALARMS, shelves, "shelf")):
        if any(alarm.startswith(prefix) and alarm.removeprefix(prefix) not in known for prefix in prefixes):
            return f"the {what} is not configured"
    return ""


def _place_gone(alarm: Alarm, places: Collection[str]) -> str:
    return "the place is not configured" if alarm.place and alarm.place not in places else ""


def orphaned_stock(topics: Iterable[str], shelves: Collection[str], now: Instant) -> list[StockState]:
    """The last word on each shelf told of (``stock/<shelf>``) that is not configured: nothing is known of it.

    >>> [state.shelf for state in orphaned_stock(["stock/old", "stock/new"], ["new"], Instant(0, 0, "boot"))]
    ['old']
    """
    told = (topic.removeprefix("stock/") for topic in topics)
    return [
        StockState(shelf, now, Quality.BAD, None, 0.0, Balance(None), is_stable=False, fault=NOT_CONFIGURED)
        for shelf in told
        if shelf not in shelves
    ]
