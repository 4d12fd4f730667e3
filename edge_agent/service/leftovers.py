"""What an earlier configuration left standing at the broker: alarms of sensors, stock of shelves that are no more."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from edge_agent.domain.alarm import Alarm, AlarmState, AlarmTransition
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality
from edge_agent.domain.stock import Balance, StockState

SENSOR_ALARM = "sensor-"  # and the sensor: the names that alerts/sensor_fault.py gives
SHELF_ALARMS = ("scale-", "cal-")  # and the shelf: decide/shelves.py, service/scales.py
NOT_CONFIGURED = "not-configured"  # fault code of a shelf that the configuration does not name any more


def orphaned_alarms(
    alarms: Mapping[str, Alarm], sensors: Collection[str], shelves: Collection[str], now: Instant
) -> list[AlarmTransition]:
    """Back to normal: nobody observes their sensor or shelf any more, so nothing else would ever end them."""
    return [
        AlarmTransition(alarm.state, replace(alarm, state=AlarmState.NORMAL, at=now, evidence=f"{gone} any more"))
        for name, alarm in alarms.items()
        if alarm.state is not AlarmState.NORMAL and (gone := _gone(name, sensors, shelves))
    ]


def _gone(alarm: str, sensors: Collection[str], shelves: Collection[str]) -> str:
    """
    >>> _gone("cal-old", [], ["new"]), _gone("sensor-a", ["a"], []), _gone("storage", [], [])
    ('the shelf is not configured', '', '')
    """
    if alarm.startswith(SENSOR_ALARM) and alarm.removeprefix(SENSOR_ALARM) not in sensors:
        return "the sensor is not configured"
    for prefix in SHELF_ALARMS:
        if alarm.startswith(prefix) and alarm.removeprefix(prefix) not in shelves:
            return "the shelf is not configured"
    return ""


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
