"""Looks at the machine for its alarms: at the card and the queue now and then, at the rest in every cycle."""

from collections.abc import Sequence
from pathlib import Path

from edge_agent.alerts import machine
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.machine import MachineState, Vitals
from edge_agent.domain.instant import Instant
from edge_agent.service import vitals
from edge_agent.service.build import Parts
from edge_agent.storage.errors import StorageError

CARD_S = 60.0  # from one look at the card to the next
QUEUE_S = 600.0
POWER_VALID_S = 300.0  # and three intervals of its sensor


class MachineWatch:
    def __init__(self, parts: Parts, now: Instant) -> None:
        self._parts = parts
        self._state = MachineState(now)
        self._looked: dict[float, Instant] = {}  # by interval
        self._free_mb: float | None = None
        self._waiting: int | None = None

    def conditions(self, now: Instant, overflowed: int) -> Sequence[Condition]:
        """``overflowed``: samples that no cycle took, since the start."""
        if self._is_time(CARD_S, now):
            self._free_mb = vitals.free_mb(Path(self._parts.settings.storage.directory))
        if self._is_time(QUEUE_S, now):
            self._waiting = _waiting(self._parts)
        under_voltage, throttled = power(self._parts, now)
        keeper = self._parts.keeper
        found = Vitals(
            now,
            under_voltage,
            throttled,
            self._free_mb,
            self._waiting,
            offline=self._parts.connection.last_error,
            lost=overflowed + keeper.samples_lost + keeper.messages_lost,
        )
        settings = self._parts.settings.alarms
        self._state = machine.follow(self._state, found, settings)
        return tuple(machine.conditions(self._state, found, settings))

    def _is_time(self, interval_s: float, now: Instant) -> bool:
        last = self._looked.get(interval_s)
        if last is not None and last.age_s(now) < interval_s:
            return False
        self._looked[interval_s] = now
        return True


def power(parts: Parts, now: Instant) -> tuple[bool | None, bool | None]:
    """(under-voltage, throttled) as the Pi's firmware said lately; None without a sensor `power`, or a silent one."""
    for sensor in parts.settings.sensors:
        health = parts.agent.memory.sensors.get(sensor.name)
        if sensor.driver != "power" or health is None or health.last_good is None:
            continue
        if health.last_good.at.age_s(now) <= max(POWER_VALID_S, 3 * sensor.interval_s):
            said = {reading.channel.quantity: bool(reading.value) for reading in health.last_good.readings}
            return said.get("under_voltage"), said.get("throttled")
    return None, None


def _waiting(parts: Parts) -> int | None:
    try:
        return sum(found.pending for found in parts.store.stats().streams.values())
    except StorageError:
        return None  # the commit complains of it
