"""Runs the parts stepped through simulated time, in one thread."""

import threading
import time
from collections.abc import Iterator

from edge_agent.domain.reading import Sample
from edge_agent.drivers.seam import Moment
from edge_agent.service.build import Parts
from edge_agent.service.leaving import STOP_CONNECTION_S, complain_of_what_goes, keep_marks, require_all_kept
from edge_agent.service.polling import Polled
from edge_agent.service.routine import HEALTH_S, OnCycle, Routine


def run_stepped(parts: Parts, stop: threading.Event, on_cycle: OnCycle | None = None, pace: float = 0.0) -> None:
    """The whole agent in one thread on the board's clock; ``pace`` > 0 goes at most so many times real time."""
    routine = Routine(parts)
    parts.panel.lamp_test()
    parts.connection.start(lambda: None)
    began_s, began_mono_s = time.monotonic(), parts.board.clock.monotonic_s()
    cycle_ms = round(1000 * parts.settings.agent.cycle_s)
    waiting: list[Sample] = []
    next_cycle_ms = 0
    try:
        for due, next_read_ms in _steps(parts):
            if pace:
                ahead_s = (parts.board.clock.monotonic_s() - began_mono_s) / pace - (time.monotonic() - began_s)
                stop.wait(max(0.0, ahead_s))
            if stop.is_set() or parts.agent.reload_asked:
                break
            routine.look_at_the_clock()
            at = parts.watch.now()
            waiting += [polled.take(at) for polled in due]
            if next_read_ms is not None and next_read_ms < next_cycle_ms and not parts.panel.pressed.is_set():
                continue  # as in real time, one cycle takes what comes in meanwhile
            next_cycle_ms = at.mono_ms + cycle_ms
            decision = routine.cycle(waiting)
            waiting.clear()
            parts.panel.play(parts.watch.now())
            _send_all(parts)
            if on_cycle is not None:
                on_cycle(decision, parts.watch.now())
        if waiting:
            routine.cycle(waiting)
    finally:
        routine.leave()
        parts.agent.flush(parts.watch.now())
        complain_of_what_goes(parts)
        _send_all(parts)
        parts.publisher.leave()
        _send_all(parts)
        parts.connection.stop(STOP_CONNECTION_S)
        keep_marks(parts)
    require_all_kept(parts)


Step = tuple[list[Polled], int | None]  # the sensors that are due, and the monotonic ms at which the next ones are


def _steps(parts: Parts) -> Iterator[Step]:
    """Move the simulated clock to the next instant at which something is due, and say which sensors are.

    Every moment of a recording has its own cycle: it says nothing of the next one.
    """
    moments = parts.board.moments()
    return _scheduled_steps(parts) if moments is None else _recorded_steps(parts, moments)


def _recorded_steps(parts: Parts, moments: Iterator[Moment]) -> Iterator[Step]:
    batch_s = parts.settings.storage.batch_s
    last_s: float | None = None
    for moment in moments:
        yield [polled for polled in parts.polled if moment.sensors is None or polled.name in moment.sensors], None
        if last_s is None or moment.mono_s - last_s >= batch_s:
            # The batch would come due before the next row: commit and tell now, in the row's own time.
            parts.agent.flush(parts.watch.now())
            _send_all(parts)
        last_s = moment.mono_s


def _scheduled_steps(parts: Parts) -> Iterator[Step]:
    start_ms = parts.watch.now().mono_ms
    due_ms = {polled.name: start_ms for polled in parts.polled}
    while True:
        now_ms = parts.watch.now().mono_ms
        due = [polled for polled in parts.polled if due_ms[polled.name] <= now_ms]
        for polled in due:
            interval_ms = max(1, round(1000 * (polled.interval_s or 1)))
            due_ms[polled.name] += interval_ms * ((now_ms - due_ms[polled.name]) // interval_ms + 1)
        yield due, min(due_ms.values(), default=None)
        wanted = [*due_ms.values(), now_ms + round(1000 * HEALTH_S)]
        commit_ms = parts.keeper.due_mono_ms()
        if commit_ms is not None:
            wanted.append(commit_ms)
        _let_pass(parts, max(min(wanted), parts.watch.now().mono_ms + 1))


def _let_pass(parts: Parts, until_ms: int) -> None:
    """Move the simulated clock there, and play the panel on the way; a press of its button ends it sooner."""
    while (now_ms := parts.watch.now().mono_ms) < until_ms and not parts.panel.pressed.is_set():
        next_ms = parts.panel.play(parts.watch.now())
        wanted_ms = until_ms if next_ms is None else min(until_ms, max(next_ms, now_ms + 1))
        parts.board.clock.sleep((wanted_ms - now_ms) / 1000)


def _send_all(parts: Parts) -> None:
    """A stepped run's broker answers at once, or is away: one step sends all that goes."""
    while parts.publisher.step(parts.watch.now()) <= 0:
        pass
