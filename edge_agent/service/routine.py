"""One cycle after another, live or stepped: what is gathered, decided, kept, told, and looked after meanwhile."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.alerts.condition import Condition
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.domain.reading import Sample
from edge_agent.mqtt import messages
from edge_agent.mqtt.commands import Ignored, parse
from edge_agent.mqtt.signed import at_most
from edge_agent.service import lives, record, scales
from edge_agent.service.agent import MAX_INCOMING
from edge_agent.service.build import Parts, tell_leftovers, tell_meta
from edge_agent.service.burst import Burst
from edge_agent.service.health import conditions, health_message, health_row
from edge_agent.service.lives import LivesJob
from edge_agent.service.machine import MachineWatch
from edge_agent.service.model_uses import LIVES
from edge_agent.service.thinker import Thinker
from edge_agent.service.timetable import Timetable
from edge_agent.storage.errors import StorageError

if TYPE_CHECKING:
    from edge_agent.service.demand import DemandJob, Places

log = logging.getLogger(__name__)

HEALTH_S = 60.0
HOUSEKEEPING_S = 3600.0
HOUSEKEEPING_ON_FAULT_S = 5.0  # a full disk is looked after: the reserve is made again as soon as there is room
LOOK_FOR_THE_CARD_S = 60.0  # from a refuge
STOP_THINKER_S = 0.5
MAX_READ_BYTES = 1 << 20  # of commands in one cycle: JSON made to be slow takes 0.1 s of a desktop's processor

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
        use = partial(parts.models.use, LIVES)
        record_lives = partial(parts.models.record, LIVES)
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
