"""The verb calibrate: zero, known weights, corners, finish; one command a step, each answered with what to do next.

What was measured is kept in memory only: a power cut begins it anew. Meanwhile nothing the scale says is stock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edge_agent.decide.memory import Memory
from edge_agent.decide.nouns import Calibrated
from edge_agent.domain.command import Command
from edge_agent.domain.instant import Instant
from edge_agent.weighing import calibration
from edge_agent.weighing.calibration import MIDDLE, Calibration, Placing, Session
from edge_agent.weighing.cells import CellTrace
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import ShelfSettings
from edge_agent.weighing.trace import Trace

STEPS = ("zero", "span", "corner", "finish", "cancel")
CALM_MS = 60_000  # the cells are looked at in windows of 5 s, of a slow scale in longer ones
FRESH_MS = 5_000
EMPTY_SHARE = 0.02  # of the capacity: an empty platform that shows more may not be empty


@dataclass(frozen=True, slots=True)
class Stepped:
    memory: Memory
    message: str
    detail: Mapping[str, object]
    request: Calibrated | None = None


def step(memory: Memory, shelf: ShelfSettings, command: Command, at: Instant) -> Stepped:
    """Raises calibration.Refused, and then nothing has changed. ``finish`` changes nothing until it is kept."""
    name = command.arguments.get("step")
    if name not in STEPS:
        raise calibration.Refused(f"step = {name!r}: must be one of {', '.join(STEPS)}")
    if name == "zero":
        return _zero(memory, shelf, command, at)
    session = memory.calibrating.get(shelf.name)
    if session is None or not session.is_open(at):
        raise calibration.Refused(f"{shelf.name} is not being calibrated: empty its platform and send step zero")
    if name == "cancel":
        return Stepped(_closed(memory, shelf.name), "nothing was changed", {"shelf": shelf.name, "step": name})
    if name == "finish":
        return _finish(memory, shelf, command, session, at)
    return _placed(memory, shelf, command, session, at)


def in_force(memory: Memory, shelf: str, at: Instant) -> Memory:
    """Once the calibration that ``finish`` asked for is kept: the session is over, the zero offset was the last one's.

    The same load weighs otherwise now: what differs when the scale rests again is unexplained, not a pick.
    """
    state = memory.scales.get(shelf, ScaleState())
    state = replace(
        state, zero_g=0.0, drift_tracked_g=0.0, drift_hour_g=0.0, creep_g=0.0, fault_since=state.fault_since or at
    )
    return replace(
        _closed(memory, shelf),
        scales={**memory.scales, shelf: state},
        traces={**memory.traces, shelf: Trace()},
    )


def suspends(memory: Memory, shelf: ShelfSettings, at: Instant) -> bool:
    """Known weights are no stock."""
    session = memory.calibrating.get(shelf.name)
    return session is not None and session.is_open(at)


def _zero(memory: Memory, shelf: ShelfSettings, command: Command, at: Instant) -> Stepped:
    empty = at_rest(shelf, memory.cells.get(shelf.name), at)
    who = command.arguments.get("who", command.source)
    if not isinstance(who, str) or not 1 <= len(who) <= 64:
        raise calibration.Refused(f"who = {who!r}: must be a text of 1 to 64 characters")
    shown_g = sum(calibration.grams(now, cell) for now, cell in zip(empty, shelf.cells, strict=True))
    least_g = calibration.LEAST_SHARE * shelf.capacity_g
    doubt = f"; it shows {shown_g:.0f} g: is it empty?" if abs(shown_g) > EMPTY_SHARE * shelf.capacity_g else ""
    return Stepped(
        _opened(memory, shelf, Session(at, who, empty)),
        f"the empty platform is noted{doubt}. Next: put a known weight of {least_g:g} to {shelf.capacity_g:g} g on its"
        " middle, the heavier the better, and send step span with known_g",
        {"shelf": shelf.name, "step": "zero", "counts": [round(now) for now in empty], "shown_g": round(shown_g, 1)},
    )


def _placed(memory: Memory, shelf: ShelfSettings, command: Command, session: Session, at: Instant) -> Stepped:
    name, place = str(command.arguments["step"]), MIDDLE
    if name == "corner":
        place = _corner(command)
    placing = Placing(_known_g(command, session), at_rest(shelf, memory.cells.get(shelf.name), at), place)
    calibration.check_weight(placing.known_g, shelf.capacity_g)
    calibration.check_placing(shelf.cells, session.empty, placing)
    session = replace(session, placings=(*session.placings, placing))
    so_far = calibration.calibrate(shelf.cells, shelf.capacity_g, session.empty, session.placings)
    shown_g = placing.known_g + so_far.residuals_g[-1]
    detail = {"shelf": shelf.name, "step": name, "known_g": placing.known_g, "shown_g": round(shown_g, 1)}
    if name == "corner":
        detail["corner"] = place
    return Stepped(
        _opened(memory, shelf, session),
        f"{placing.known_g:g} g are shown as {shown_g:.1f} g by the calibration so far. Next: {_next(shelf, session)}",
        detail,
    )


def _next(shelf: ShelfSettings, session: Session) -> str:
    tried = {placing.place for placing in session.placings}
    left = [cell.sensor for cell in shelf.cells if cell.sensor not in tried]
    if len(shelf.cells) > 1 and left:
        corner = f"put the same weight above {left[0]} and send step corner with corner = {left[0]!r}"
    elif len(shelf.cells) == 1 and tried == {MIDDLE}:
        corner = "put the same weight on a corner and send step corner with its name"
    else:
        corner = "repeat any step as you like"
    return f"{corner}; or put the goods back and send step finish"


def _finish(memory: Memory, shelf: ShelfSettings, command: Command, session: Session, at: Instant) -> Stepped:
    made = calibration.calibrate(shelf.cells, shelf.capacity_g, session.empty, session.placings)
    words = ". ".join(made.warnings) or "all well"
    message = f"calibrated with {len(made.weights_g)} placings, largest residual {made.residual_g:+.1f} g: {words}"
    detail = {"shelf": shelf.name, "step": "finish", **_told(made)}
    return Stepped(memory, message, detail, Calibrated(command, shelf.name, session.who, made, message, detail))


def _told(made: Calibration) -> dict[str, object]:
    told: dict[str, object] = {
        "cells": [
            {"sensor": c.sensor, "zero_counts": c.zero_counts, "counts_per_gram": round(c.counts_per_gram, 6)}
            for c in made.cells
        ],
        "span_change_pct": round(100 * made.span_change, 3),
        "residuals_g": [round(residual_g, 2) for residual_g in made.residuals_g],
    }
    if made.corners is not None:
        told["corner"] = {
            "worst": made.corners.worst,
            "deviation_g": round(made.corners.deviation_g, 2),
            "limit_g": made.corners.limit_g,
            "off_pct": {sensor: round(100 * share, 3) for sensor, share in made.corners.off},
        }
    if made.repeatability is not None:
        told["repeatability"] = {
            "n": made.repeatability.n,
            "sd_g": round(made.repeatability.sd_g, 2),
            "range_g": round(made.repeatability.range_g, 2),
            "limit_g": made.repeatability.limit_g,
        }
    return told


def at_rest(shelf: ShelfSettings, trace: CellTrace | None, at: Instant) -> tuple[float, ...]:
    """Counts of each cell over the last seconds. By the cells alone: before its first calibration a scale's grams
    mean nothing, overload included. Raises calibration.Refused."""
    watch = trace.watch if trace is not None else None
    if watch is None or len(watch.cells) != len(shelf.cells) or not all(each.tail for each in watch.cells):
        raise calibration.Refused(f"the cells of {shelf.name} give no samples: see edge-agent status")
    for each in watch.cells:
        silent_ms = at.mono_ms - each.tail[-1][0]
        if silent_ms > FRESH_MS:
            raise calibration.Refused(f"{each.cell.sensor} has been silent for {silent_ms / 1000:.0f} s")
    if len(watch.calm) != len(shelf.cells) or at.mono_ms - watch.calm_ms > CALM_MS:
        raise calibration.Unsteady(f"{shelf.name} did not rest for long enough yet: leave it alone and try again")
    return tuple(
        calibration.steady(level, [counts for _, counts in each.tail], each.usual_noise)
        for level, each in zip(watch.calm, watch.cells, strict=True)
    )


def _known_g(command: Command, session: Session) -> float:
    value = command.arguments.get("known_g", session.placings[-1].known_g if session.placings else None)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise calibration.Refused(f"known_g = {value!r}: must be the weight that was put on, in grams")
    return float(value)


def _corner(command: Command) -> str:
    value = command.arguments.get("corner")
    if not isinstance(value, str) or not 1 <= len(value) <= 32 or value == MIDDLE:
        raise calibration.Refused(f"corner = {value!r}: must be the sensor of the cell below the weight, or a name")
    return value


def _opened(memory: Memory, shelf: ShelfSettings, session: Session) -> Memory:
    return replace(memory, calibrating={**memory.calibrating, shelf.name: session})


def _closed(memory: Memory, shelf: str) -> Memory:
    left = {name: session for name, session in memory.calibrating.items() if name != shelf}
    return replace(memory, calibrating=left)
