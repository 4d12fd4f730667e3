"""The judge of `scripts/bench alarms`: knows the world as it was, and what the agent raised; uses none of its code.

A planted fault is found when an alarm that names it comes in time. An alarm is false when neither a planted fault nor
the world as it was explains it:

* the alarms a fault may bring with it, from its begin until its aftermath is over (``BRINGS``, ``AFTER_H``);
* an alarm about temperature is true when the goods were beyond its limit, or the air was for ``AIR_S`` without a
  defrost in it; one about a door when it stood open for ``DOOR_S``, or most of the time; one about humidity when the
  air was so.

A sensor that lies must be told as a sensor: an alarm about the place that only the lie explains is false, and the
fault then counts as not found.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOUR_S = 3600.0
TOLERANCE_K = 0.3  # of the sensor, against the true temperature
AIR_S = 1200.0
RECOVERY_S = 2700.0  # after a defrost: until the air is what it was
SETTLES_S = 1200.0  # the air after a door was open
DOOR_S = 150.0
DOOR_GAP_S = 45.0  # shut for less is not shut
LOADING_S, LOADING_OPEN = 360.0, 0.4  # open for such a share of the time
FREEZES_C = -0.5  # milk, which lies in both chilled zones
DRIFT_C_PER_H = 0.1  # of the sensor that drifts
DRIFTED_K = 3.0  # by then it must be told
SENSOR_FAULTS = ("frozen", "spikes", "drift", "pinned-humidity", "unplugged")

WARM = ("temperature-high", "critical-high", "food-safety", "food-warning")
COLD = ("temperature-low", "critical-low", "freezing", "chilling")
DAMP = ("condensation", "humid", "dry")
MACHINE = ("compressor", "cooling-weak", "defrost")

# By which alarm a fault is found (the begin of its name after the place's), and how long it may take.
FOUND_BY: Mapping[str, tuple[str, ...]] = {
    "door-left-open": ("door",),
    "compressor-fails": ("compressor",),
    "defrost-hangs": ("defrost",),
    "runs-on": ("freezing",),
    "compressor-wears": ("cooling-weak", "compressor"),
    "evaporator-ices": ("cooling-weak", "defrost", "compressor"),
}
WITHIN_S = {
    "door-left-open": 300.0,
    "compressor-fails": 900.0,
    "defrost-hangs": 1800.0,
    "runs-on": 600.0,
    "frozen": 2 * HOUR_S,
    "spikes": 0.5 * HOUR_S,
    "pinned-humidity": 6 * HOUR_S,
    "unplugged": 300.0,
}
BRINGS: Mapping[str, tuple[str, ...]] = {
    "door-left-open": ("door", *WARM, "condensation", "humid", "dry"),
    "compressor-fails": (*WARM, *MACHINE, "condensation", "humid"),
    "defrost-hangs": (*WARM, *MACHINE, "condensation", "humid"),
    "runs-on": (*COLD, *MACHINE, "dry"),
    "compressor-wears": (*WARM, *MACHINE, "humid", "condensation"),
    "evaporator-ices": (*WARM, *MACHINE, "humid", "condensation"),
}
AFTER_H = {"door-left-open": 3.0, "compressor-fails": 8.0, "defrost-hangs": 4.0, "runs-on": 8.0}  # others: 24 h


@dataclass(frozen=True, slots=True)
class Trace:
    """One zone as it was, at each cycle of the agent."""

    at_s: NDArray[np.float64]
    air_c: NDArray[np.float64]
    goods_c: NDArray[np.float64]
    humidity_pct: NDArray[np.float64]
    is_open: NDArray[np.bool_]
    is_cooling: NDArray[np.bool_]
    calls: NDArray[np.bool_]  # the thermostat wants the compressor to run
    is_defrosting: NDArray[np.bool_]

    def between(self, begin_s: float, end_s: float) -> slice:
        return slice(int(np.searchsorted(self.at_s, begin_s)), int(np.searchsorted(self.at_s, end_s, "right")))


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    zone: str
    at_s: float
    until_s: float
    sensor: str | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm as the agent raised it; ``what`` is its name without the place's or the sensor's."""

    at_s: float
    name: str
    zone: str
    what: str
    sensor: str | None = None
    limit: float | None = None
    dwell_s: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """How one planted fault fared; ``due_s`` None: it never came so far that anybody had to be told."""

    fault: Fault
    since_s: float  # from when on it could be seen
    due_s: float | None
    told: Raised | None
    taken_for_place: tuple[Raised, ...] = ()  # a lying sensor that was believed

    @property
    def is_found(self) -> bool:
        if self.due_s is None:
            return True
        return self.told is not None and self.told.at_s <= self.due_s and not self.taken_for_place


@dataclass(frozen=True, slots=True)
class Verdict:
    rows: tuple[Row, ...]
    false: tuple[Raised, ...]
    true: tuple[Raised, ...]


def judge(traces: Mapping[str, Trace], faults: Sequence[Fault], raised: Sequence[Raised]) -> Verdict:
    end_s = max(float(trace.at_s[-1]) for trace in traces.values())
    rows = tuple(_row(fault, traces[fault.zone], faults, raised) for fault in faults if fault.at_s < end_s)
    is_true = [is_explained(alarm, faults) or is_so(alarm, traces) for alarm in raised]
    return Verdict(
        rows,
        tuple(alarm for alarm, so in zip(raised, is_true, strict=True) if not so),
        tuple(alarm for alarm, so in zip(raised, is_true, strict=True) if so),
    )


# --- found? -------------------------------------------------------------------------------------------------------


def _row(fault: Fault, trace: Trace, faults: Sequence[Fault], raised: Sequence[Raised]) -> Row:
    since_s, due_s = seen_from(fault, trace)
    till_s = aftermath_s(fault)
    told = next((one for one in raised if fault.at_s <= one.at_s <= till_s and _names(one, fault)), None)
    believed: tuple[Raised, ...] = ()
    if fault.kind in SENSOR_FAULTS:
        believed = tuple(
            one
            for one in raised
            if one.zone == fault.zone
            and fault.at_s <= one.at_s <= fault.until_s + HOUR_S
            and one.what in (*WARM, *COLD, *MACHINE, "door")
            and not is_so(one, {fault.zone: trace})
            and not is_explained(one, faults)
        )
    return Row(fault, since_s, due_s, told, believed)


def seen_from(fault: Fault, trace: Trace) -> tuple[float, float | None]:
    """From when on the fault could be seen at all, and when it must have been told."""
    part = trace.between(fault.at_s, fault.until_s)
    if fault.kind == "compressor-fails":
        # Before the thermostat asks for it, a compressor that stands still is as it should be; and after the door was
        # open the goods cool the air.
        asked = np.flatnonzero((trace.calls | _was_running(trace, fault.at_s))[part] & ~_lately_open(trace)[part])
        since_s = _at(trace, part, asked)
        return (since_s, since_s + WITHIN_S[fault.kind]) if since_s < np.inf else (fault.at_s, None)
    if fault.kind == "runs-on":
        since_s = _at(trace, part, np.flatnonzero(trace.goods_c[part] <= FREEZES_C))
        return (since_s, since_s + WITHIN_S[fault.kind]) if since_s < np.inf else (fault.at_s, None)
    if fault.kind == "drift":
        due_s = fault.at_s + HOUR_S * DRIFTED_K / DRIFT_C_PER_H
        return fault.at_s, due_s if due_s <= fault.until_s else None
    if fault.kind in WITHIN_S:
        due_s = fault.at_s + WITHIN_S[fault.kind]
        return fault.at_s, due_s if due_s <= fault.until_s else None
    return fault.at_s, fault.until_s


def _was_running(trace: Trace, at_s: float) -> bool:
    index = int(np.searchsorted(trace.at_s, at_s)) - 1
    return index >= 0 and bool(trace.is_cooling[index])


def _lately_open(trace: Trace) -> NDArray[np.bool_]:
    """The door is open, or was within ``SETTLES_S``."""
    opened_s = np.where(trace.is_open, trace.at_s, -np.inf)
    return np.asarray(trace.at_s - np.maximum.accumulate(opened_s) < SETTLES_S)


def _at(trace: Trace, part: slice, found: NDArray[np.intp]) -> float:
    return float(trace.at_s[part][found[0]]) if len(found) else np.inf


def aftermath_s(fault: Fault) -> float:
    return fault.until_s + HOUR_S * AFTER_H.get(fault.kind, 1.0 if fault.kind in SENSOR_FAULTS else 24.0)


def _names(alarm: Raised, fault: Fault) -> bool:
    if fault.kind in SENSOR_FAULTS:
        return alarm.sensor == fault.sensor
    return alarm.zone == fault.zone and alarm.what.startswith(FOUND_BY[fault.kind])


# --- true? --------------------------------------------------------------------------------------------------------


def is_explained(alarm: Raised, faults: Sequence[Fault]) -> bool:
    """By a planted fault."""
    return any(
        fault.at_s <= alarm.at_s <= aftermath_s(fault)
        and (
            alarm.sensor == fault.sensor
            if fault.kind in SENSOR_FAULTS
            else alarm.zone == fault.zone and alarm.what.startswith(BRINGS[fault.kind])
        )
        for fault in faults
    )


def is_so(alarm: Raised, traces: Mapping[str, Trace]) -> bool:
    """By the world as it was, whatever brought it about."""
    trace = traces.get(alarm.zone)
    if trace is None or alarm.sensor is not None:
        return False
    return any(check(alarm, trace) for words, check in _CHECKS.items() if alarm.what.startswith(words))


def _is_warm(alarm: Raised, trace: Trace) -> bool:
    return _is_beyond(alarm, trace, +1)


def _is_cold(alarm: Raised, trace: Trace) -> bool:
    return _is_beyond(alarm, trace, -1)


def _is_beyond(alarm: Raised, trace: Trace, sign: int) -> bool:
    if alarm.limit is None:
        return False
    now = trace.between(alarm.at_s - 120, alarm.at_s)
    limit = sign * alarm.limit - TOLERANCE_K
    if np.any(sign * trace.goods_c[now] > limit):
        return True
    begin_s = alarm.at_s - max(AIR_S, alarm.dwell_s or 0.0)
    part = trace.between(begin_s, alarm.at_s)
    if sign > 0 and np.any(trace.is_defrosting[trace.between(begin_s - RECOVERY_S, alarm.at_s)]):
        return False
    return bool(len(trace.air_c[part]) and np.mean(sign * trace.air_c[part] > limit) >= 0.9)


def _was_open(alarm: Raised, trace: Trace) -> bool:
    """All the time, or while goods were carried in: then nobody without a contact sees it shut in between."""
    part = trace.between(alarm.at_s - LOADING_S, alarm.at_s)
    if np.mean(trace.is_open[part]) >= LOADING_OPEN:
        return True
    return any(
        end_s - begin_s >= DOOR_S and end_s >= alarm.at_s - 300
        for begin_s, end_s in runs(trace.at_s, trace.is_open, alarm.at_s - HOUR_S, alarm.at_s, DOOR_GAP_S)
    )


def runs(
    at_s: NDArray[np.float64], holds: NDArray[np.bool_], from_s: float, to_s: float, gap_s: float
) -> Iterator[tuple[float, float]]:
    """Stretches in which it holds; breaks up to ``gap_s`` belong to one."""
    part = slice(int(np.searchsorted(at_s, from_s)), int(np.searchsorted(at_s, to_s, "right")))
    times = at_s[part][holds[part]]
    if not len(times):
        return
    breaks = np.flatnonzero(np.diff(times) > gap_s)
    for first, last in zip([0, *(breaks + 1)], [*breaks, len(times) - 1], strict=True):
        yield float(times[first]), float(times[last])


def _is_damp(alarm: Raised, trace: Trace) -> bool:
    """Dew on the goods, or an hour so humid."""
    part = trace.between(alarm.at_s - HOUR_S, alarm.at_s)
    dew_c = dew_point_c(trace.air_c[part], trace.humidity_pct[part])
    is_wet = np.mean(dew_c > trace.goods_c[part] - 0.5) > 0.1
    limit_pct = alarm.limit if alarm.what.startswith("humid") and alarm.limit is not None else 97.0
    return bool(is_wet or np.mean(trace.humidity_pct[part] > limit_pct - 2) > 0.9)


def _is_dry(alarm: Raised, trace: Trace) -> bool:
    part = trace.between(alarm.at_s - HOUR_S, alarm.at_s)
    return alarm.limit is not None and bool(np.mean(trace.humidity_pct[part] < alarm.limit + 2) > 0.9)


def dew_point_c(air_c: NDArray[np.float64], humidity_pct: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnus form, Alduchov and Eskridge 1996."""
    gamma = np.log(np.maximum(humidity_pct, 1) / 100) + 17.625 * air_c / (243.04 + air_c)
    return np.asarray(243.04 * gamma / (17.625 - gamma))


_CHECKS: Mapping[str, Callable[[Raised, Trace], bool]] = {
    **dict.fromkeys(WARM, _is_warm),
    **dict.fromkeys(COLD, _is_cold),
    "door": _was_open,
    "condensation": _is_damp,
    "humid": _is_damp,
    "dry": _is_dry,
}
