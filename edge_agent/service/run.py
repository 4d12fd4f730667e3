"""Runs the parts: in real time with a worker per bus, or stepped through simulated time in one thread."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.alerts.condition import Condition
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.domain.reading import Sample
from edge_agent.drivers.seam import Moment
from edge_agent.mqtt import messages
from edge_agent.mqtt.commands import Ignored, parse
from edge_agent.mqtt.signed import at_most
from edge_agent.service import lives, record, scales
from edge_agent.service.agent import MAX_INCOMING
from edge_agent.service.build import Parts, tell_leftovers, tell_meta
from edge_agent.service.burst import Burst
from edge_agent.service.health import conditions, health_message, health_row
from edge_agent.service.lives import LivesJob
from edge_agent.service.local_socket import open_socket
from edge_agent.service.machine import MachineWatch
from edge_agent.service.notify import notify, watchdog_s
from edge_agent.service.panel import Panel, PanelThread
from edge_agent.service.polling import Polled
from edge_agent.service.publishing import PublisherThread
from edge_agent.service.thinker import Thinker
from edge_agent.service.timetable import Timetable
from edge_agent.service.workers import Slot, start_workers, stop_workers
from edge_agent.storage.errors import StorageError

if TYPE_CHECKING:
    from edge_agent.service.demand import DemandJob, Places

log = logging.getLogger(__name__)

HEALTH_S = 60.0
HOUSEKEEPING_S = 3600.0
HOUSEKEEPING_ON_FAULT_S = 5.0  # a full disk is looked after: the reserve is made again as soon as there is room
LOOK_FOR_THE_CARD_S = 60.0  # from a refuge
STOP_WORKERS_S = 1.0  # of the 5 s that a clean stop may take
STOP_DRAIN_S = 2.0
STOP_THINKER_S = 0.5
STOP_CONNECTION_S = 1.0
MAX_READ_BYTES = 1 << 20  # of commands in one cycle: JSON made to be slow takes 0.1 s of a desktop's processor
PUBLISHER_STALE_S = 60.0  # without a completed step: the watchdog is not fed any more
SAMPLE_STALE_S = 30.0  # and two of the longest intervals: without a sample, good or bad
STUCK_S = 20.0  # and three cycles: without one, the panel shows a fault of the agent
STUCK_CYCLES = 3
NOTICE_STOP_S = 0.25  # while the cycle waits for the button rather than for the stop
AFTER_READING = 0.5  # of a cycle: a bus of many sensors has been read by then, also on a busy machine

OnCycle = Callable[[Decision, Instant], None]


class Routine:
    """What every cycle does besides deciding: the clock, health, housekeeping, the calendar."""

    def __init__(self, parts: Parts, overflowed: Callable[[], int] = lambda: 0) -> None:
        self._parts = parts
        self._started = parts.watch.now()
        self._overflowed = overflowed
        self._next_health_ms = self._started.mono_ms
        self._housekept_ms = self._started.mono_ms
        self._looked_for_card_ms = self._started.mono_ms
        self._has_more_to_keep = False
        self._told_health: Message | None = None
        self._machine = MachineWatch(parts, self._started)
        self._timetable = Timetable()
        self._timetable.daily("nightly", 3, 10, self._nightly)
        self._timetable.daily("digest", 0, 5, self._tell_digest)
        self._busy = Burst("commands answered busy, because too many came at once")
        self._unheard = Burst("commands lost without an answer, because too many came at once")
        tell_leftovers(parts, self._started)
        self._told_models = parts.models.news
        self.thinker = Thinker()
        self._demand = demand_job(parts, self.thinker)
        use = partial(parts.models.use, lives.MODEL)
        record_lives = partial(parts.models.record, lives.MODEL)
        self._lives = LivesJob(parts.settings.products, parts.settings.shop, use, self.thinker, record_lives)
        tell_meta(parts, self._started)

    def cycle(self, samples: Sequence[Sample]) -> Decision:
        parts = self._parts
        now = parts.watch.now()
        self._hear_commands()
        parts.models.look(now)
        due = scales.conditions(parts.settings.shelves, parts.calibrations, now)
        own = (*conditions(parts), *self._machine.conditions(now, self._overflowed()))
        found = (*own, *due, *parts.panel.conditions(now), *self._of_demand(), *self._lives.conditions())
        limits = parts.agent.memory.limits
        decision = parts.agent.cycle(samples, now, found, parts.panel.take_presses(), self._lives.found())
        models = parts.models.news
        if parts.agent.memory.limits is not limits or models != self._told_models:
            self._told_models = models
            tell_meta(parts, now)
        self._busy.look(parts.agent.turned_away)
        self._unheard.look(parts.agent.unanswered + parts.connection.unheard)
        if parts.keeper.fault is None and parts.store.epoch != parts.identity.epoch:
            parts.agent.reload_asked = True  # a new file after a damaged one: the agent begins a new epoch
        if parts.keeper.has_moved or self._is_refuge_over(now):
            parts.agent.reload_asked = True
        if decision.transitions or now.mono_ms >= self._next_health_ms:  # what an alarm is about, at once
            self._next_health_ms = now.mono_ms + round(1000 * HEALTH_S)
            is_first = self._told_health is None
            self._tell_health(now)
            if is_first:
                parts.agent.flush(now)  # ready: whoever reads the file sees that the agent runs
        wait_s = HOUSEKEEPING_S if parts.keeper.fault is None else HOUSEKEEPING_ON_FAULT_S
        if self._has_more_to_keep or now.mono_ms - self._housekept_ms >= 1000 * wait_s:
            self._housekept_ms = now.mono_ms
            self._keep_house(now)
        self._timetable.run_due(now)
        if self._demand is not None:
            self._demand.look(now)
        self._lives.look(parts.agent.memory, now)
        self._hear_thoughts(now)
        return decision

    def _of_demand(self) -> Sequence[Condition]:
        return () if self._demand is None else self._demand.conditions()

    def _hear_thoughts(self, now: Instant) -> None:
        """What the thinker's thread has found goes with the next commit, the memory of it in the same one."""
        self.thinker.supervise(now)
        for thought in self.thinker.take():
            if thought.name == lives.TASK:
                self._lives.take(thought, now)
            elif self._demand is not None:
                night = self._demand.take(thought, now)
                if night is not None:
                    told = list(map(messages.forecast, night.forecasts))
                    self._parts.keeper.add(now, messages=told, rows=night.rows)

    def _hear_commands(self) -> None:
        """Anybody who may publish may send as much as he likes: reading it must not cost the next reading."""
        parts = self._parts
        verify = at_most(MAX_INCOMING, parts.verify)
        left_bytes = MAX_READ_BYTES
        for incoming in parts.connection.received():
            left_bytes -= len(incoming.payload)
            if left_bytes < 0:
                parts.agent.unanswered += 1
                continue
            command = parse(incoming, parts.identity, verify)
            if isinstance(command, Ignored):
                log.debug("%s: ignored, %s", incoming.topic, command.reason)
            else:
                parts.agent.receive(command)

    def _is_refuge_over(self, now: Instant) -> bool:
        refuge = self._parts.refuge
        if refuge is None or now.mono_ms - self._looked_for_card_ms < 1000 * LOOK_FOR_THE_CARD_S:
            return False
        self._looked_for_card_ms = now.mono_ms
        return refuge.is_over()

    def look_at_the_clock(self) -> None:
        """Before samples are taken: their wall time follows a step at once."""
        parts = self._parts
        before = parts.watch.now()
        news = parts.watch.look()
        if news.step_ms:
            log.warning("clock: the wall clock stepped by %+.3f s", news.step_ms / 1000)
            self._timetable.rearm(parts.watch.now())
        if news.synchronised_now:
            # What waits in RAM was taken by the old clock: to the disk first, then put all of this boot right.
            parts.agent.flush(before)
            now = parts.watch.now()
            try:
                parts.store.correct_clock(now.boot, now.offset_ms)
                parts.settings_file.correct_clock(now.boot, now.offset_ms)
                parts.calibrations.update(scales.histories(parts.settings.shelves, parts.settings_file))
            except StorageError as error:
                log.error("clock: earlier rows could not be corrected: %s", error)
            log.warning("clock: synchronised; the rows of this boot are dated %+.3f s", news.step_ms / 1000)
        line = record.clock_line(news, parts.watch.now())
        if line is not None:
            parts.keeper.add(line.at, messages=[messages.record(line)])

    def _tell_health(self, now: Instant) -> None:
        parts = self._parts
        message = health_message(parts, now, self._started, expiry_s=round(3 * HEALTH_S))
        self._told_health = message
        row = health_row(message, now, parts.settings.storage.batch_s)
        parts.keeper.add(now, rows={"health": row} | parts.agent.lasting_rows())
        parts.publisher.publish_health(message, parts.store.next_volatile(Stream.HEALTH))

    def leave(self) -> None:
        """For whoever reads the file: the agent was stopped, and did not die."""
        if not self.thinker.stop(STOP_THINKER_S):
            log.warning("the night's work was left behind; it is done again after the next start")
        now, told = self._parts.watch.now(), self._told_health
        if told is not None:
            row = health_row(told, now, self._parts.settings.storage.batch_s, is_running=False)
            self._parts.keeper.add(now, rows={"health": row})

    def _keep_house(self, now: Instant) -> None:
        try:
            report = self._parts.store.housekeeping(now)
        except StorageError as error:
            log.debug("storage: housekeeping: %s", error)  # the commit complains of the same
            return
        if report.dropped:
            log.warning("storage: %d rows went before they were sent: %s", report.dropped, dict(report.removed))
        self._has_more_to_keep = report.more

    def _tell_digest(self, now: Instant) -> None:
        record.tell_digest(self._parts.keeper, self._parts.store, self._parts.settings_file, now)

    def _nightly(self, now: Instant) -> None:
        try:
            stats = self._parts.store.stats()
        except StorageError as error:
            log.error("nightly: %s", error)
            return
        pending = sum(found.pending for found in stats.streams.values())
        log.info("nightly: %.1f MB used, %d messages waiting for the broker", stats.used_bytes / 1e6, pending)


def demand_job(parts: Parts, thinker: Thinker) -> "DemandJob | None":
    """None where nothing is sold and no alarm of it is left to end: then its modules are not even loaded."""
    if not parts.settings.products and not any(name.startswith("demand-") for name in parts.agent.memory.alarms):
        return None
    from edge_agent.service.demand import DemandJob

    return DemandJob(demand_places(parts), thinker)


def demand_places(parts: Parts) -> "Places":
    """What the night's work is done on; the model is opened in the thread that asks for it."""
    from edge_agent.service import demand
    from edge_agent.service.demand_shadow import contest_of

    settings = parts.settings
    model = partial(parts.models.use, demand.MODEL)
    contest = contest_of(parts.models.opened(), demand.MODEL)
    return demand.Places(parts.store, settings.products, settings.shop, settings.demand, model, contest)


# --- real time ------------------------------------------------------------------------------------------------------


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
        _complain_of_what_goes(parts)
        if not publishing.finish(STOP_DRAIN_S):
            log.warning("stopped without the broker's word; what it has not acknowledged is sent at the next start")
        parts.connection.stop(STOP_CONNECTION_S)
        _keep_marks(parts)
    _require_all_kept(parts)


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


class NotKept(StorageError):
    """The agent was stopped while the card took nothing: what waited in RAM is gone."""


def _complain_of_what_goes(parts: Parts) -> None:
    samples, told = parts.keeper.waiting()
    if samples or told:
        log.error("storage: %s", _what_goes(parts))


def _require_all_kept(parts: Parts) -> None:
    """Raises NotKept, so that a stop which lost something does not pass for a clean one; a reload goes on."""
    if any(parts.keeper.waiting()) and not parts.agent.reload_asked:
        raise NotKept(_what_goes(parts))


def _what_goes(parts: Parts) -> str:
    samples, told = parts.keeper.waiting()
    lost = f"{samples} readings and {told} messages or answers are lost with this stop"
    return f"{lost}: {parts.keeper.fault}"


def _keep_marks(parts: Parts) -> None:
    try:
        parts.store.flush_marks()
    except StorageError as error:
        log.warning("storage: the last acknowledgements were not kept, and will be sent again: %s", error)


# --- stepped through simulated time ---------------------------------------------------------------------------------


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
        _complain_of_what_goes(parts)
        _send_all(parts)
        parts.publisher.leave()
        _send_all(parts)
        parts.connection.stop(STOP_CONNECTION_S)
        _keep_marks(parts)
    _require_all_kept(parts)


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
