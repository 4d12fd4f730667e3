"""A year of the inspector's record of four zones, written through the store as the agent writes it."""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.alerts.interval import Interval, Spread, closed
from edge_agent.domain.instant import Instant
from edge_agent.domain.record import RecordKind, RecordLine
from edge_agent.mqtt import messages
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

BEGIN_MS = 1_764_547_200_000  # 2025-12-01
QUARTER_MS, DAY_MS = 900_000, 86_400_000
QUARTERS = 96


@dataclass(frozen=True, slots=True)
class Zone:
    name: str
    setpoint_c: float
    low_c: float
    high_c: float
    critical_c: float
    defrost_h: int | None  # from one to the next


ZONES = (
    Zone("cold-room", 3.0, 0.0, 5.0, 8.0, 8),
    Zone("dairy", 3.5, 0.0, 5.0, 8.0, 12),
    Zone("freezer", -20.0, -30.0, -18.0, -12.0, 6),
    Zone("produce", 9.0, 5.0, 13.0, 16.0, None),
)
EXCURSIONS_A_YEAR = 66  # of one probe, as a real cold store had them in 11 months


def write(directory: Path, days: int, seed: int) -> int:
    """Answers how many lines there are. A day's lines are one commit: the card is not what is measured here."""
    store = Store.open(StorageSettings(directory=str(directory)), "bench", _at(BEGIN_MS))
    chance = random.Random(seed)
    store.commit(messages=[messages.record(line) for line in _settings(BEGIN_MS)])
    for day in range(days):
        lines = sorted(_day(BEGIN_MS + day * DAY_MS, chance), key=lambda line: line.at.mono_ms)
        store.commit(messages=[messages.record(line) for line in lines])
    head = store.record_head()
    store.close()
    return head.line


def _at(wall_ms: int) -> Instant:
    return Instant(wall_ms - BEGIN_MS, wall_ms, "boot-1")


def _settings(begin_ms: int) -> Iterator[RecordLine]:
    for zone in ZONES:
        sensor = {"sensor": zone.name, "driver": "sht4x", "role": "air", "interval_s": 10.0}
        calibrated = {"calibrated_on": "2025-10-06", "certificate": "D-K-1", "correction_c": -0.1}
        body: Mapping[str, object] = {
            "climate": "frozen" if zone.setpoint_c < -10 else "chilled",
            "low_c": zone.low_c,
            "high_c": zone.high_c,
            "critical_high_c": zone.critical_c,
            "critical_on": "product",
            "region": "eu",
            "food_limit_c": 5.0 if zone.setpoint_c > -10 else None,
            "sensors": [sensor | (calibrated if zone.defrost_h else {})],
        }
        yield RecordLine(RecordKind.SETTINGS, _at(begin_ms), zone.name, body)


def _day(begin_ms: int, chance: random.Random) -> Iterator[RecordLine]:
    for zone in ZONES:
        excursion = chance.randrange(8, 80) if chance.random() < EXCURSIONS_A_YEAR / 365 else None
        for quarter in range(1, QUARTERS + 1):
            at_ms = begin_ms + quarter * QUARTER_MS
            warm_c = 0.0
            if zone.defrost_h and (quarter - 1) % (4 * zone.defrost_h) == 0:
                warm_c = 4.0 + chance.random()
                ended = {"from": _at(at_ms - QUARTER_MS).rfc3339(), "for_min": 22.5, "peak_c": zone.setpoint_c + warm_c}
                yield RecordLine(RecordKind.DEFROST, _at(at_ms - 60_000), zone.name, ended)
            if excursion is not None and excursion <= quarter < excursion + 8:
                warm_c = zone.critical_c + 1.5 - zone.setpoint_c
            yield RecordLine(RecordKind.INTERVAL, _at(at_ms), zone.name, _interval(zone, at_ms, warm_c, chance))
        if excursion is not None:
            yield from _excursion(zone, begin_ms + excursion * QUARTER_MS)


def _interval(zone: Zone, at_ms: int, warm_c: float, chance: random.Random) -> Mapping[str, object]:
    mean_c = zone.setpoint_c + 0.6 * math.sin(at_ms / DAY_MS * math.tau) + warm_c + chance.gauss(0, 0.2)
    product_c = zone.setpoint_c + 0.3 * warm_c
    humidity_pct = 80 + chance.gauss(0, 4)
    correction_c = 0.1 if zone.defrost_h else 0.0  # of a sensor with a certificate
    passed = Interval(
        begun=_at(at_ms - QUARTER_MS),
        readings=90,
        raw=_spread(mean_c + correction_c, 0.7),
        air=_spread(mean_c, 0.7),
        product=_spread(product_c, 0.1),
        humidity=_spread(humidity_pct, 5),
    )
    return closed(passed, _at(at_ms), _at(at_ms))[1]


def _spread(mean: float, around: float) -> Spread:
    return Spread(1, mean, mean - around, mean + around)


def _excursion(zone: Zone, begin_ms: int) -> Iterator[RecordLine]:
    """Begun, alarmed, acknowledged after 20 min, ended after two hours, and what was done."""
    end_ms, name = begin_ms + 8 * QUARTER_MS, f"{zone.name}-critical-high"
    body = {
        "limit": "critical-high",
        "of": "air",
        "limit_c": zone.critical_c,
        "side": "above",
        "from": _at(begin_ms).rfc3339(),
        "outside_s": 300,
        "extreme_c": zone.critical_c + 2,
    }
    alarm = {"alarm": name, "priority": "high", "since": _at(begin_ms).rfc3339(), "value": zone.critical_c + 2}
    yield RecordLine(RecordKind.EXCURSION_BEGUN, _at(begin_ms + 300_000), zone.name, body)
    for after_s, change, who, reason in (
        (300, "raised", "agent", ""),
        (1500, "acknowledged", "button", ""),
        (7260, "returned", "agent", ""),
    ):
        told = alarm | {"change": change, "who": who, "reason": reason}
        yield RecordLine(RecordKind.ALARM, _at(begin_ms + after_s * 1000), zone.name, told)
    ended = body | {"to": _at(end_ms).rfc3339(), "outside_s": 7200}
    yield RecordLine(RecordKind.EXCURSION_ENDED, _at(end_ms), zone.name, ended)
    done = alarm | {"change": "corrected", "who": "cli:anna", "reason": "Door stood open; milk measured 4.1 °C, kept"}
    yield RecordLine(RecordKind.CORRECTIVE_ACTION, _at(end_ms + 600_000), zone.name, done)
