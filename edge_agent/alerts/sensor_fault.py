"""A sensor of which nothing good comes is loud: after three bad samples in a row, or three silent intervals."""

from dataclasses import dataclass, replace

from edge_agent.alerts.condition import Condition
from edge_agent.domain.alarm import Priority
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality, Sample

BAD_IN_A_ROW = 3
LEAST_S = 3.0  # without a good sample: ten times a second, three bad ones are a hiccup of the bus
START_S = 30.0  # while a bus sets its chips up, all of them wait: eight load cells take 20 s


@dataclass(frozen=True, slots=True)
class SensorHealth:
    """What came of one sensor since the start of the agent."""

    since: Instant  # when it was first looked at
    good: int = 0
    bad: int = 0
    bad_in_a_row: int = 0
    fault: str | None = None  # of the last sample
    last_at: Instant | None = None
    last_good: Sample | None = None


def follow(health: SensorHealth, sample: Sample) -> SensorHealth:
    """A sample counts as good when all its readings are usable."""
    faults = [reading.fault for reading in sample.readings if reading.quality is not Quality.GOOD]
    if not faults:
        return replace(health, good=health.good + 1, bad_in_a_row=0, fault=None, last_at=sample.at, last_good=sample)
    return replace(
        health,
        bad=health.bad + 1,
        bad_in_a_row=health.bad_in_a_row + 1,
        fault=faults[0] or "fault",
        last_at=sample.at,
    )


def condition(sensor: str, health: SensorHealth, interval_s: float, now: Instant) -> Condition:
    silent_s = (health.last_at or health.since).age_s(now)
    allowed_s = max(LEAST_S, (BAD_IN_A_ROW + 1) * interval_s)
    is_bad = health.bad_in_a_row >= BAD_IN_A_ROW and (
        health.last_good is None or health.last_good.at.age_s(now) >= LEAST_S
    )
    is_starting = health.since.age_s(now) <= START_S
    is_silent = silent_s > allowed_s and not is_starting
    holds = is_silent or is_bad
    evidence = (f"nothing for {silent_s:.0f} s" if is_silent else health.fault or "") if holds else ""
    return Condition(
        name=f"sensor-{sensor}",
        holds=holds,
        priority=Priority.MEDIUM,
        message=f"Sensor {sensor} gives no usable value ({evidence})" if holds else f"Sensor {sensor} measures again",
        action="Check its plug and cable; if it stays, replace the sensor",
        evidence=evidence,
    )
