"""Runs the parts in real time, with a worker per bus."""

import logging
import threading
from collections.abc import Callable

from edge_agent.domain.instant import Instant
from edge_agent.service.build import Parts
from edge_agent.service.leaving import STOP_CONNECTION_S, complain_of_what_goes, keep_marks, require_all_kept
from edge_agent.service.local_socket import open_socket
from edge_agent.service.notify import notify, watchdog_s
from edge_agent.service.panel import Panel, PanelThread
from edge_agent.service.publishing import PublisherThread
from edge_agent.service.routine import OnCycle, Routine
from edge_agent.service.workers import Slot, start_workers, stop_workers

log = logging.getLogger(__name__)


STOP_WORKERS_S = 1.0  # of the 5 s that a clean stop may take
STOP_DRAIN_S = 2.0
PUBLISHER_STALE_S = 60.0  # without a completed step: the watchdog is not fed any more
SAMPLE_STALE_S = 30.0  # and two of the longest intervals: without a sample, good or bad
STUCK_S = 20.0  # and three cycles: without one, the panel shows a fault of the agent
STUCK_CYCLES = 3
NOTICE_STOP_S = 0.25  # while the cycle waits for the button rather than for the stop
AFTER_READING = 0.5  # of a cycle: a bus of many sensors has been read by then, also on a busy machine


def run_live(parts: Parts, stop: threading.Event, on_cycle: OnCycle | None = None) -> None:
    """Until ``stop`` is set or a reload is asked for; then everything is committed and told within 5 s."""
    slot = Slot()
    routine = Routine(parts, lambda: slot.overflowed)
    cycle_s = parts.settings.agent.cycle_s
    workers = start_workers(parts.polled, slot, parts.watch.now, parts.settings.agent.sensor_timeout_s)
    publishing = PublisherThread(parts.publisher, parts.watch.now)
    parts.connection.start(publishing.wake)
    publishing.start()
    routine.thinker.start()
    panel = PanelThread(parts.panel, parts.watch.now, STUCK_S + STUCK_CYCLES * cycle_s)
    panel.start()
    parts.panel.lamp_test()
    socket = parts.settings.commands.socket
    local = open_socket(socket, parts.identity, parts.verify, parts.agent.receive, parts.watch.now)
    if local is not None:
        parts.agent.tell_answers(local.hear)
    progress = _Progress(parts, publishing, panel)
    # Sensors are read on a grid that begins now, and cycles come between: what was read late waits for no second one.
    next_at = parts.watch.now().mono_ms - round(1000 * cycle_s * (1 - AFTER_READING))
    try:
        while not stop.is_set() and not parts.agent.reload_asked:
            routine.look_at_the_clock()
            for worker in workers:
                worker.supervise()
            samples = slot.take_all()
            decision = routine.cycle(samples)
            publishing.wake()
            now = parts.watch.now()
            progress.after_cycle(now, has_sampled=bool(samples))
            if on_cycle is not None:
                on_cycle(decision, now)
            if next_at <= now.mono_ms:  # else somebody pressed the button
                next_at += round(1000 * cycle_s)
            if next_at < now.mono_ms:
                next_at = now.mono_ms  # the machine was held up: go on from here
            _wait(parts.panel, stop, parts.watch.now, next_at)
    finally:
        notify("STOPPING=1")
        if not stop_workers(workers, STOP_WORKERS_S):
            log.warning("a read that hangs was left behind")
        routine.cycle(slot.take_all())
        if local is not None:
            local.stop()
        routine.leave()
        parts.agent.flush(parts.watch.now())
        complain_of_what_goes(parts)
        if not publishing.finish(STOP_DRAIN_S):
            log.warning("stopped without the broker's word; what it has not acknowledged is sent at the next start")
        parts.connection.stop(STOP_CONNECTION_S)
        keep_marks(parts)
    require_all_kept(parts)


def _wait(panel: Panel, stop: threading.Event, now: Callable[[], Instant], until_ms: int) -> None:
    """Until it is time, or ``stop`` is set, or somebody presses the button."""
    while not (stop.is_set() or panel.pressed.is_set()):
        left_s = (until_ms - now().mono_ms) / 1000
        if left_s <= 0:
            return
        if panel.has_button:
            panel.pressed.wait(min(left_s, NOTICE_STOP_S))
        else:
            stop.wait(left_s)


class _Progress:
    """The watchdog's proof of work: sampling, committing and sending were tried lately. Not a timer."""

    def __init__(self, parts: Parts, publishing: PublisherThread, panel: PanelThread) -> None:
        self._parts, self._publishing, self._panel = parts, publishing, panel
        slowest_s = max((polled.interval_s or 0.0 for polled in parts.polled), default=0.0)
        self._sample_stale_s = SAMPLE_STALE_S + 2 * slowest_s
        self._sampled: Instant = parts.watch.now()
        self._fed: Instant | None = None
        self._told_hung: str | None = None
        self._feed_s = (watchdog_s() or 0.0) / 3
        self._is_ready = False

    def after_cycle(self, now: Instant, has_sampled: bool) -> None:
        """Tell systemd, when there is something to tell. Raises RuntimeError when a thread died of a bug."""
        if not self._publishing.is_alive() or not self._parts.connection.is_running:
            raise RuntimeError("a thread of the publisher died: its traceback stands above")
        if not self._panel.is_alive():
            raise RuntimeError("the panel's thread died: its traceback stands above")
        if has_sampled or not self._parts.polled:
            self._sampled = now
        if not self._is_ready and (has_sampled or self._parts.keeper.commits):
            self._is_ready = self._tell_ready()
        if self._feed_s and (self._fed is None or self._fed.age_s(now) >= self._feed_s):
            self._feed(now)

    def _feed(self, now: Instant) -> None:
        hung = self._hung(now)
        if hung is None:
            self._fed = now
            notify("WATCHDOG=1")
        elif hung != self._told_hung:
            log.error("systemd's watchdog is not fed any more: %s", hung)
        self._told_hung = hung

    def _tell_ready(self) -> bool:
        """With the first commit; on a card that takes none, with the first samples: an agent that measures and warns
        is not started anew for ever because of its card."""
        keeper = self._parts.keeper
        if not keeper.commits and keeper.fault is None:
            return False
        notify("READY=1")
        log.info("ready: %s", "the first cycle is on the disk" if keeper.commits else "it measures, from RAM")
        return True

    def _hung(self, now: Instant) -> str | None:
        """What goes no further, in the same words as long as it does not; None while all does."""
        if self._publishing.idle_s() >= PUBLISHER_STALE_S:
            return f"the publisher's thread has made no step for {PUBLISHER_STALE_S:g} s"
        if not self._parts.connection.is_moving:
            return "the thread of the connection to the broker hangs"
        if self._sampled.age_s(now) >= self._sample_stale_s:
            return f"no sensor has given a sample, good or bad, for {self._sample_stale_s:g} s"
        return None
