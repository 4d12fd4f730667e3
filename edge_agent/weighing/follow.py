"""One batch of weights of a shelf: what it changes, and what is now. Pure; by time, at 80 a second as at one in 5 min.

    weights --validity, spikes, thinning--> looks --smoothing, stability, plateau--> change --events--> ledger

At rest a slow level follows the looks; what deviates from it begins a movement; rest after it, proved by time, is the
new plateau, and the difference of the two plateaus is what happened. Everything slower is drift, water loss or a leak.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.stock import StockEvent
from edge_agent.weighing import (
    calm,
    drift,
    estimate,
    events,
    plateau,
    proof,
    smoothing,
    spikes,
    stability,
    thermal,
    validity,
)
from edge_agent.weighing.drift import Drift
from edge_agent.weighing.estimate import Estimate
from edge_agent.weighing.events import Change
from edge_agent.weighing.looks import Cleaned, cleaned
from edge_agent.weighing.nouns import Present, Surroundings, Weight
from edge_agent.weighing.plateau import Plateau
from edge_agent.weighing.proof import Before, Held
from edge_agent.weighing.scale import ScaleState, rezeroed
from edge_agent.weighing.settings import ShelfSettings
from edge_agent.weighing.thermal import Thermal
from edge_agent.weighing.trace import Look, Moving, Phase, Rest, Trace

__all__ = ["STAGES", "Followed", "Stages", "Trace", "follow"]

GUARD_S = 1.0  # a look is that old before the level believes it
LOOK_S = 120.0  # how often the level at rest is compared with the reference
LEAST_LOOK_S = 3.0  # less says nothing new
REFINE_S = 10.0  # after a movement: then the new level is known better than its plateau
FRESH_S = 0.6  # of level that the plateau after a movement stands for
DISTURBANCE_S = 5.0  # shorter touches are not worth a line
DISTURBANCES_APART_MS = 600_000
WARMTH_KNOWN = 0.3  # of what the temperature is said to have moved (standard uncertainty)
SLOW_G_PER_S = 1.0  # what pours out by itself: a litre in a quarter of an hour
SHUT_S = 600.0  # a door shut for so long: nobody is inside
HANDLESS_S = 0.25  # a crate that bursts, a shelf that gives way: quicker than any hand
LASTING_FAULT_MS = 10_000  # a fault that long is remembered through a power cut


@dataclass(frozen=True, slots=True)
class Stages:
    """The pipeline. Each has a twin that does nothing, so that its worth can be measured."""

    fault_of: Callable[[Weight, float | None, ShelfSettings], str | None] = validity.fault_of
    despiked: Callable[[Sequence[float], float | None], float] = spikes.hampel
    smoothed: Callable[[float, float], tuple[float, float]] = smoothing.adaptive
    rests: Callable[[Sequence[float], float], bool] = stability.rests
    plateau_of: Callable[[Sequence[Look]], Plateau] = plateau.plateau
    drifted: Callable[[float, float, float, float, ShelfSettings], Drift] = drift.followed
    crept: Callable[[float, float, float, float], float] = drift.crept
    ahead: Callable[[Estimate, float, ShelfSettings], Estimate] = estimate.ahead


STAGES = Stages()


@dataclass(frozen=True, slots=True)
class Followed:
    state: ScaleState
    trace: Trace
    events: tuple[StockEvent, ...]
    present: Present


def follow(
    shelf: ShelfSettings,
    state: ScaleState,
    trace: Trace,
    weights: Sequence[Weight],
    at: Instant,
    around: Surroundings = Surroundings(),  # noqa: B008 (frozen)
    product: Product | None = None,
    *,
    stages: Stages = STAGES,
) -> Followed:
    """``at`` is the instant of the cycle, not before the newest weight; weights are in order of time, before zero."""
    course = _Course(shelf, state, rezeroed(trace, state.zero_g), at, around, product, stages)
    course.see_door()
    course.take(weights)
    course.remember_fault()
    return Followed(course.state, course.trace, tuple(course.events), _present(shelf, course.state, course.trace))


@dataclass(slots=True)
class _Course:
    """The values of one call, open for change while the weights go through."""

    shelf: ShelfSettings
    state: ScaleState
    trace: Trace
    at: Instant
    around: Surroundings
    product: Product | None
    stages: Stages
    events: list[StockEvent] = field(default_factory=list)

    def take(self, weights: Sequence[Weight]) -> None:
        signal, looks = cleaned(
            self.trace.signal,
            weights,
            self.shelf,
            self.state.zero_g,
            self._weight_noise_g(),
            self.stages.fault_of,
            self.stages.despiked,
        )
        self.trace = replace(self.trace, signal=signal)
        i = 0
        while i < len(looks):
            if self.trace.phase is Phase.REST:
                i = self._rest(looks, i)
                continue
            ms, gross_g = looks[i]
            i += 1
            if gross_g is None:
                self._lose_sight()
            else:
                self._search(ms, gross_g)

    def _rest(self, looks: list[Cleaned], i: int) -> int:
        rest, after, phase = calm.watched(
            self.trace.rest,
            looks,
            i,
            self._interval_s(),
            self._guard_ms(),
            self._least_step_g(),
            self.stages.smoothed,
        )
        self.trace = replace(self.trace, rest=rest)
        if phase is Phase.UNKNOWN:
            self._lose_sight()
        elif phase is Phase.MOVING:
            self._start_moving()
        elif looks[after - 1][0] >= rest.due_ms:
            self._look_after(looks[after - 1][0])
        return after

    def _start_moving(self) -> None:
        self._track(is_last=True)
        rest = self.trace.rest
        began_ms = _first_apart(rest)
        looks = tuple(look for look in rest.guard if look[0] >= began_ms)
        moving = Moving(began_ms, True, rest.level_g, looks)
        self.trace = replace(self.trace, phase=Phase.MOVING, moving=moving)

    def _lose_sight(self) -> None:
        """A fault or a gap: the next plateau is compared with what the ledger accounts for."""
        self.trace = replace(self.trace, phase=Phase.UNKNOWN, moving=Moving())

    def _search(self, ms: int, gross_g: float) -> None:
        """Not at rest: is this look the one that proves it?"""
        moving = self.trace.moving
        oldest_ms = ms - round(1000 * max(proof.LONGEST_MOVEMENT_S, 4 * proof.STEADY_LOOKS * self._interval_s()))
        looks = (*moving.looks, (ms, gross_g))
        if looks[0][0] < oldest_ms:
            looks = tuple(look for look in looks if look[0] >= oldest_ms)
        began_ms = ms if moving.began_ms is None else moving.began_ms
        self.trace = replace(self.trace, moving=replace(moving, began_ms=began_ms, looks=looks))
        held = self.trace.moving.held
        if held is not None and proof.is_outgrown(self._before(), self.trace.moving, held):
            self._tell_held(held)
        tail = proof.rested(self._before(), self.trace.moving.looks, self.stages.rests)
        if tail:
            self._weigh_up(self.stages.plateau_of(tail), tail)

    def _weigh_up(self, now: Plateau, tail: Sequence[Look]) -> None:
        """A plateau is found: is it the end of the movement?"""
        held = self.trace.moving.held
        if held is not None and now.from_ms > held.until_ms:
            self._decide_on(held, now)
        before, moving = self._before(), self.trace.moving
        asked = proof.asked_of(before, moving, now, tail, self.state.reference_g, self.state.reference_u_g)
        if asked <= 1.0:
            self._settle(now)
        elif lasted := proof.lasted(before, moving.looks, now, asked, self.stages.rests):
            self._settle(self.stages.plateau_of(max(lasted, tail, key=len)))
        elif moving.held is None and proof.is_candidate(before, now, moving.from_g):
            self.trace = replace(self.trace, moving=replace(moving, held=now))

    def _decide_on(self, held: Plateau, now: Plateau) -> None:
        decided = proof.decided(self._before(), self.trace.moving, held, now)
        if decided is Held.ELBOW:
            self.trace = replace(self.trace, moving=replace(self.trace.moving, held=None))
        elif decided is Held.GOODS:
            self._tell_held(held)

    def _tell_held(self, held: Plateau) -> None:
        """And go on from there."""
        looks = proof.leaving(held, self.trace.moving.looks, self.trace.rest.noise_g)
        self._settle(held)
        self.trace = replace(self.trace, phase=Phase.MOVING, moving=Moving(looks[0][0], True, held.gross_g, looks))

    def _settle(self, now: Plateau) -> None:
        """Rest again: what is different?"""
        at = self._instant(now.from_ms)
        if self.state.reference_g is None:
            self.state = events.begun(self.shelf, self.state, now.gross_g, now.u_g, at, self.product)
        elif self.trace.moving.is_seen:
            self._step(now, at)
        else:
            self._compare(now, at)
        noise_g = self.trace.rest.noise_g
        if noise_g is None or now.noise_g > 2 * noise_g:
            noise_g = now.noise_g
        self.trace = replace(
            self.trace,
            phase=Phase.REST,
            moving=Moving(),
            expected_ms=now.mid_ms,
            rest=Rest(
                level_g=now.gross_g,
                # The beginning of rest is not quite rest: it is soon outweighed by what comes after it.
                weighs_s=max(FRESH_S, self._interval_s()),
                level_ms=now.mid_ms,
                noise_g=max(noise_g, stability.QUIET_G),
                since_ms=now.from_ms,
                due_ms=now.until_ms + round(1000 * REFINE_S),
            ),
        )

    def _compare(self, now: Plateau, at: Instant) -> None:
        """Nobody saw the movement, if there was one: against what the ledger accounts for."""
        seconds = events.seconds_unseen(self.state, at)
        drift_u_g = drift.drift_u_g(seconds, self.shelf)
        expected = estimate.by_itself(estimate.of(self.state), 0.0, drift_u_g)
        delta_g = now.gross_g - expected.gross_g
        u_g = math.hypot(now.u_g, expected.gross_u_g)
        if abs(delta_g) <= max(events.SURE * u_g, self._least_step_g()):
            seen = estimate.seen(estimate.unsure(expected, delta_g / 2), now.gross_g, now.u_g, self.shelf)
            state = self._followed(self.state, seen, seconds)
            self.state = replace(state, confirmed=at, fault_since=None)
            return
        unseen = events.unseen_for(self.state, at)
        self._account(expected, Change(delta_g, u_g, now.gross_g, now.u_g, at, seconds, unseen=unseen))

    def _step(self, now: Plateau, at: Instant) -> None:
        """The difference of two plateaus, less what the scale did by itself meanwhile."""
        trace, moving = self.trace, self.trace.moving
        began_ms = moving.began_ms if moving.began_ms is not None else now.from_ms
        duration_s = max(0.0, (now.from_ms - began_ms) / 1000)
        seconds = max(0.0, (now.mid_ms - trace.expected_ms) / 1000)
        expected = self._expected(seconds)
        delta_g = now.gross_g - expected.gross_g
        u_g = math.hypot(now.u_g, expected.gross_u_g)
        change = Change(delta_g, u_g, now.gross_g, now.u_g, at, duration_s)
        is_correction = self._is_correction(change)
        if self._is_creeping(change):
            self._creep_along(expected, now, seconds, at)
            return
        if abs(delta_g) > max(events.SURE * u_g, self._least_step_g()) and not is_correction:
            self._account(expected, replace(change, handless=self._handless(change)), seconds)
            self.trace = replace(self.trace, settled_ms=now.until_ms)
            return
        # Untouched goods have not changed; touched ones perhaps, by less than can be told.
        touched = estimate.unsure(expected, delta_g if is_correction else delta_g / 2)
        self.state = self._followed(self.state, estimate.seen(touched, now.gross_g, now.u_g, self.shelf), seconds)
        if not is_correction:
            self._tell_disturbance(change)

    def _is_creeping(self, change: Change) -> bool:
        """Slower than any hand, and nothing beyond the two levels: no movement but a fast drift, or a leak."""
        moving = self.trace.moving
        slack_g = calm.SUDDEN * (self.trace.rest.noise_g or 0.0)
        grams = [gross_g for _, gross_g in moving.looks]
        least_g, most_g = sorted((moving.from_g, change.gross_g))
        is_slow = abs(change.delta_g) <= SLOW_G_PER_S * change.duration_s
        return is_slow and least_g - slack_g <= min(grams) and max(grams) <= most_g + slack_g

    def _creep_along(self, expected: Estimate, now: Plateau, seconds: float, at: Instant) -> None:
        before_g = self.state.drift_tracked_g
        found = replace(expected, offset_g=expected.offset_g + now.gross_g - expected.gross_g)
        self.state = replace(self._followed(self.state, found, seconds), confirmed=at)
        self._lose(self.state.drift_tracked_g - before_g, seconds, at)
        self._leak(now.gross_g - (self.state.reference_g or 0.0), now.gross_g, at)

    def _is_correction(self, change: Change) -> bool:
        """Less than a piece, right after a movement was told: its plateau was not quite the last word."""
        piece_g, settled_ms = self._piece_g(), self.trace.settled_ms
        if piece_g is None or settled_ms is None or abs(change.delta_g) >= piece_g / 2:
            return False
        return change.at.mono_ms - 1000 * change.duration_s - settled_ms < 1000 * REFINE_S

    def _expected(self, seconds: float) -> Estimate:
        """What the scale should show now: the ledger's estimate, carried on by the scale's own way."""
        creep_g = self._creep_g(seconds) - self.state.creep_g
        carried = self.stages.ahead(estimate.of(self.state), seconds, self.shelf)
        warmed_g = self._warmed_g()
        return estimate.by_itself(
            carried, creep_g + warmed_g, math.hypot(drift.CREEP_KNOWN * creep_g, WARMTH_KNOWN * warmed_g)
        )  # fmt: skip

    def _warmed_g(self) -> float:
        """How far the temperature has moved the scale since the last look, where that is to be compensated."""
        if not self.shelf.compensate_temperature:
            return 0.0
        return thermal.expected_g(
            self.state.thermal, self.around.temperature_c, self.state.reference_g or 0.0, self.shelf.capacity_g
        )

    def _thermal(self, level_g: float | None = None, seconds: float = 0.0) -> Thermal:
        """At the temperature of now; with what the ``level_g`` of an untouched shelf teaches."""
        state, now_c = self.state, self.around.temperature_c
        if not self.shelf.compensate_temperature:
            return state.thermal
        known = state.thermal
        if level_g is not None and seconds >= thermal.LEAST_S:
            moved_g = level_g - (state.reference_g or 0.0) - (self._creep_g(seconds) - state.creep_g)
            known = thermal.learnt(known, now_c, level_g, moved_g)
        return thermal.seen_at(known, now_c, self._warmed_g())

    def _followed(self, state: ScaleState, found: Estimate, seconds: float, *, is_last: bool = False) -> ScaleState:
        """The state with ``found``, as far as its offset is within the limits of drift."""
        before = estimate.of(state)
        creep_g = self._creep_g(seconds)
        warmed_g = self._warmed_g()
        wanted_g = found.offset_g - before.offset_g - (creep_g - state.creep_g) - warmed_g
        drifted = self.stages.drifted(wanted_g, seconds, state.drift_hour_g, state.drift_tracked_g, self.shelf)
        self.trace = replace(self.trace, drifting=drifted.limit)
        beyond_g = wanted_g - drifted.followed_g
        left_g = 0.0 if is_last else beyond_g
        state = estimate.put(state, replace(found, offset_g=found.offset_g - left_g))
        return replace(
            state,
            drift_tracked_g=state.drift_tracked_g + drifted.followed_g,
            drift_hour_g=drifted.hour_g,
            beyond_g=drift.forgotten(state.beyond_g, seconds) + (beyond_g if is_last else 0.0),
            creep_g=creep_g,
            thermal=self._thermal(),
        )

    def _account(self, expected: Estimate, change: Change, seconds: float = 0.0) -> None:
        """``seconds``: how far ``expected`` carried creep and temperature on."""
        state = replace(self.state, creep_g=self._creep_g(seconds), thermal=self._thermal())
        accounted = events.account(self.shelf, estimate.put(state, expected), change, self.product)
        self.state = accounted.state
        self.events += accounted.events

    def _handless(self, change: Change) -> str:
        """A jump within one look, nothing beyond it, and nobody in the room for long."""
        shut_ms = self.trace.door_shut_ms
        if shut_ms is None or change.at.mono_ms - shut_ms < 1000 * SHUT_S:
            return ""
        if change.duration_s > HANDLESS_S or self._interval_s() > HANDLESS_S:
            return ""
        return f"{change.delta_g:+.0f} g within {change.duration_s:.1f} s, with the door shut for {SHUT_S:.0f} s"

    def _tell_disturbance(self, change: Change) -> None:
        told_ms = self.trace.told_ms
        ms = change.at.mono_ms
        least_s = max(DISTURBANCE_S, 2.5 * self._interval_s())
        is_soon = told_ms is not None and ms - told_ms < DISTURBANCES_APART_MS
        if change.duration_s < least_s or is_soon:
            return
        self.trace = replace(self.trace, told_ms=ms)
        self.events.append(events.disturbed(self.shelf, self.state, change))

    # ----- what goes on at rest ------------------------------------------------------------------------------------

    def _look_after(self, ms: int) -> None:
        """Once a minute, and a little after a movement: the level is compared with the ledger's reference."""
        self._track()
        self.trace = replace(self.trace, rest=replace(self.trace.rest, due_ms=ms + round(1000 * LOOK_S)))

    def _track(self, *, is_last: bool = False) -> None:
        """The estimate follows the level, its offset within limits and while no door is open.

        ``is_last``: a movement begins. What is left until then is the scale's, and must not pass for goods moved.
        """
        state, trace = self.state, self.trace
        rest = trace.rest
        seconds = (rest.level_ms - trace.expected_ms) / 1000
        if state.net_g is None or seconds < LEAST_LOOK_S:
            return
        at = self._instant(round(rest.level_ms))
        expected = self._expected(seconds)
        warmth = self._thermal(rest.level_g, seconds)
        is_open = bool(self.around.door_open) and not is_last
        # A level that is partly made of what was seen before says less.
        u_g = self._level_u_g() * math.sqrt(max(1.0, rest.weighs_s / seconds))
        if state.away_g is not None:
            found = replace(expected, offset_g=rest.level_g - expected.net_g)
        else:
            found = estimate.seen(expected, rest.level_g, u_g, self.shelf, is_frozen=is_open)
        before_g = state.drift_tracked_g
        state = replace(self._followed(state, found, seconds, is_last=is_last), confirmed=at, thermal=warmth)
        self.trace = replace(self.trace, expected_ms=rest.level_ms)
        self.state = state
        self._lose(state.drift_tracked_g - before_g, seconds, at)
        self._leak(rest.level_g - (self.state.reference_g or 0.0), rest.level_g, at)

    def _creep_g(self, seconds: float) -> float:
        """Creep in the reading, so much later."""
        state = self.state
        return self.stages.crept(state.creep_g, state.reference_g or 0.0, seconds, self.shelf.creep_ppm)

    def _lose(self, followed_g: float, seconds: float, at: Instant) -> None:
        """Of a product that dries a slow loss is water, as far as the product may lose so much."""
        loss_pct = self.product.loss_pct_per_day if self.product is not None else None
        state = self.state
        if loss_pct is None or not state.net_g or state.away_g is not None:
            return
        most_g = events.GRAVEST_LOSS * loss_pct / 100 * state.net_g * seconds / 86_400
        lost_g = -min(max(-followed_g, -most_g), most_g)
        since = state.loss_since or at
        self.state = replace(
            state,
            loss_g=state.loss_g + lost_g,
            loss_since=since,
            drift_tracked_g=state.drift_tracked_g - lost_g,
        )
        told_after_s = since.age_s(at)
        if told_after_s >= events.TELL_LOSS_S and -self.state.loss_g >= self.shelf.least_step_g(self._piece_g()):
            accounted = events.dried(self.shelf, self.state, at)
            self.state = accounted.state
            self.events += accounted.events

    def _leak(self, left_g: float, level_g: float, at: Instant) -> None:
        """A loss beyond all drift while nobody touched the shelf, or in the pauses between those who did."""
        left_g += self.state.beyond_g
        lost_g = left_g + self.state.drift_hour_g
        if self.trace.drifting is None or not self.trace.drifting.startswith("drifting-too-fast"):
            return
        if left_g > -self.shelf.drift_limit_g_per_h or (self.state.net_g or 0.0) + lost_g < 0:
            return
        accounted = events.leaked(self.shelf, self.state, lost_g, level_g, at)
        self.state = accounted.state
        self.events += accounted.events

    # ----- around --------------------------------------------------------------------------------------------------

    def see_door(self) -> None:
        if self.around.door_open is not False:
            self.trace = replace(self.trace, door_shut_ms=None)
        elif self.trace.door_shut_ms is None:
            self.trace = replace(self.trace, door_shut_ms=self.at.mono_ms)

    def remember_fault(self) -> None:
        signal = self.trace.signal
        if signal.fault_ms is None or self.state.fault_since is not None or self.state.reference_g is None:
            return
        if self.at.mono_ms - signal.fault_ms >= LASTING_FAULT_MS:
            self.state = replace(self.state, fault_since=self._instant(signal.fault_ms))

    def _before(self) -> Before:
        return Before(
            model=self.state.pieces.model,
            piece_g=self._piece_g(),
            noise_g=self.trace.rest.noise_g,
            level_u_g=self._level_u_g(),
            least_step_g=self._least_step_g(),
            stable_g=self.shelf.stable_g,
            capacity_g=self.shelf.capacity_g,
            stable_ms=self._stable_ms(),
            interval_s=self._interval_s(),
        )

    def _instant(self, ms: int) -> Instant:
        return replace(self.at, mono_ms=ms, wall_ms=self.at.wall_ms + ms - self.at.mono_ms)

    def _interval_s(self) -> float:
        """Between two looks."""
        signal = self.trace.signal
        return max((signal.interval_s or 0.1) * max(1.0, signal.looks_n), 1e-3)

    def _stable_ms(self) -> int:
        """Rest is proved by time, and by three looks at least."""
        return round(1000 * max(self.shelf.stable_s, (stability.FEWEST - 1) * self._interval_s()))

    def _guard_ms(self) -> int:
        return round(1000 * max(GUARD_S, min(self.shelf.stable_s, 2 * self._interval_s())))

    def _least_step_g(self) -> float:
        return self.shelf.least_step_g(self._piece_g())

    def _piece_g(self) -> float | None:
        return events.piece_g(self.state, self.product)

    def _weight_noise_g(self) -> float | None:
        """Of one weight, before thinning."""
        noise_g = self.trace.rest.noise_g
        return None if noise_g is None else noise_g * math.sqrt(self.trace.signal.looks_n)

    def _level_u_g(self) -> float:
        rest = self.trace.rest
        u_g = smoothing.level_u_g(rest.noise_g or 0.0, rest.weighs_s, self._interval_s())
        return max(u_g, plateau.LEAST_U_G)


def _first_apart(rest: Rest) -> int:
    """When the looks in the guard left the level."""
    far_g = stability.UNREST * (rest.noise_g or 0.0)
    began_ms = rest.guard[-1][0]
    for ms, gross_g in reversed(rest.guard):
        if abs(gross_g - rest.level_g) <= far_g:
            break
        began_ms = ms
    return began_ms


def _present(shelf: ShelfSettings, state: ScaleState, trace: Trace) -> Present:
    signal, rest = trace.signal, trace.rest
    gross_g: float | None = None
    if signal.fault is None and not signal.broken:
        if trace.phase is Phase.REST:
            gross_g = rest.level_g
        elif trace.moving.looks:
            gross_g = trace.moving.looks[-1][1]
    noise_g = None if rest.noise_g is None else rest.noise_g * math.sqrt(signal.looks_n)
    return Present(
        gross_g=gross_g,
        balance=events.balance_of(state),
        is_stable=trace.phase is Phase.REST and not signal.broken and signal.fault is None,
        noise_g=noise_g,
        drift_tracked_g=state.drift_tracked_g,
        fault=signal.fault or trace.drifting,
    )
