"""From a settled change to the lines of the ledger: kind, grams, uncertainty, pieces, balance. Pure."""

import math
from dataclasses import dataclass, replace

from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.product import Product
from edge_agent.domain.stock import Balance, EventKind, StockEvent
from edge_agent.weighing import estimate
from edge_agent.weighing import pieces as piece_count
from edge_agent.weighing.pieces import PieceModel
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import ShelfSettings

SURE = 5.0  # standard uncertainties: a change beyond them is no accident
# Unseen for longer than a restart takes: nobody can say that it was one movement. A quiet scale is looked at
# every other minute, and that is on the card 70 s later at most, so 50 s of outage can look like 4 minutes.
OUTAGE_S = 240.0
NEAR_EMPTY = 0.1  # of the container's weight: less on the platform, and it is gone
SPAN_PPM = 50.0  # of a change: uncertainty of span, linearity and corner load together
START_PPM = 50.0  # of full scale: how well the empty platform showed zero when all began
DELIVERY = 0.02  # of a piece: how much the mean of one delivery differs from another's
TELL_LOSS_S = 6 * 3600.0
GRAVEST_LOSS = 3.0  # of what the product may lose: more is no drying


@dataclass(frozen=True, slots=True)
class Change:
    """What a movement, or a time in which nothing was seen, left behind."""

    delta_g: float  # against what the state expects
    u_g: float
    gross_g: float  # afterwards
    gross_u_g: float
    at: Instant  # its end
    duration_s: float = 0.0
    unseen: str = ""  # why nobody saw it: a fault, an outage
    handless: str = ""  # evidence that no hand did it


@dataclass(frozen=True, slots=True)
class Accounted:
    state: ScaleState
    events: tuple[StockEvent, ...] = ()


def balance_of(state: ScaleState) -> Balance:
    """What the ledger says lies there now."""
    if state.net_g is None:
        return Balance(None)
    if state.away_g is not None:
        return Balance(0.0, None if piece_count.units_of(state.pieces)[0] is None else 0, state.reference_u_g, 1.0)
    return _inside(state)


def begun(
    shelf: ShelfSettings, state: ScaleState, gross_g: float, u_g: float, at: Instant, product: Product | None
) -> ScaleState:
    """The first weight at rest, ever: what lies there, lies there. Never an event, never a tare (lesson 22)."""
    start = state.pieces if state.pieces.model is not None else piece_count.started(product)
    first = estimate.begun(gross_g, state.tare_g, u_g, START_PPM * 1e-6 * shelf.capacity_g, shelf)
    creep_g = shelf.creep_ppm * 1e-6 * gross_g  # what lies there has lain there for long
    state = estimate.put(replace(state, confirmed=at, fault_since=None, creep_g=creep_g), first)
    return replace(state, pieces=piece_count.weighed(start, first.net_g, state.u_g))


def account(shelf: ShelfSettings, state: ScaleState, change: Change, product: Product | None) -> Accounted:
    """Write a significant change into the ledger; ``state`` expects what its reference says."""
    settled = replace(state, confirmed=change.at, fault_since=None)
    if state.away_g is not None:
        return _back(shelf, settled, change, product)
    if _is_removal(state, change):
        after = replace(settled, away_g=-change.delta_g, reference_g=change.gross_g)
        return Accounted(after, (_event(shelf, EventKind.REMOVAL, change, state, after),))
    kind, evidence = _kind(change)
    return _moved(shelf, settled, change, product, kind, evidence)


def _kind(change: Change) -> tuple[EventKind, str]:
    if change.unseen:
        return EventKind.UNEXPLAINED, change.unseen
    if change.handless:
        return EventKind.DAMAGE, change.handless
    return (EventKind.RESTOCK if change.delta_g > 0 else EventKind.PICK), ""


def _moved(
    shelf: ShelfSettings,
    state: ScaleState,
    change: Change,
    product: Product | None,
    kind: EventKind,
    evidence: str = "",
) -> Accounted:
    span_g = SPAN_PPM * 1e-6 * change.delta_g
    u_g = math.hypot(change.u_g, span_g)
    moved = piece_count.moved(state.pieces, change.delta_g, u_g, product)
    found = estimate.moved(estimate.of(state), change.gross_g, math.hypot(change.gross_u_g, span_g))
    after = estimate.put(state, found)
    after = replace(after, pieces=piece_count.weighed(moved.pieces, found.net_g, after.u_g))
    event = _event(shelf, kind, replace(change, u_g=u_g), state, after, moved.confidence, evidence)
    return Accounted(after, (replace(event, moved_units=moved.delta_units),))


def _is_removal(state: ScaleState, change: Change) -> bool:
    if state.tare_g <= 0 or change.delta_g >= 0:
        return False
    near_g = max(NEAR_EMPTY * state.tare_g, SURE * change.gross_u_g) + abs(state.drift_tracked_g)
    return change.gross_g <= near_g and -change.delta_g >= state.tare_g - near_g


def _back(shelf: ShelfSettings, state: ScaleState, change: Change, product: Product | None) -> Accounted:
    """The container is back: as it went, and then what is missing or new in it."""
    near_g = NEAR_EMPTY * state.tare_g
    if change.delta_g < state.tare_g - near_g:
        return Accounted(replace(state, reference_g=change.gross_g))  # something else stands there: nobody's stock
    back = replace(state, away_g=None, reference_g=(state.reference_g or 0.0) + (state.away_g or 0.0))
    missing_g = change.gross_g - (back.reference_g or 0.0)
    if abs(missing_g) <= max(SURE * change.u_g, shelf.least_step_g(piece_g(state, product))):
        touched = estimate.unsure(estimate.of(back), missing_g / 2)
        after = estimate.put(back, estimate.seen(touched, change.gross_g, change.gross_u_g, shelf))
        return Accounted(after, (_event(shelf, EventKind.RETURN, change, state, after),))
    returned = _event(shelf, EventKind.RETURN, change, state, back)
    kind = EventKind.RESTOCK if missing_g > 0 else EventKind.PICK
    more = _moved(shelf, back, replace(change, delta_g=missing_g), product, kind, "while the container was away")
    return Accounted(more.state, (returned, *more.events))


def disturbed(shelf: ShelfSettings, state: ScaleState, change: Change) -> StockEvent:
    return _event(shelf, EventKind.DISTURBANCE, change, state, state)


def dried(shelf: ShelfSettings, state: ScaleState, at: Instant) -> Accounted:
    """The water lost since it was told last becomes a line of the ledger."""
    lost_g, since = state.loss_g, state.loss_since
    u_g = abs(lost_g) / 2  # the scale's own drift looks the same
    after = replace(
        state,
        net_g=(state.net_g or 0.0) + lost_g,
        u_g=math.hypot(state.u_g, u_g),
        spread=estimate.taken_over(estimate.of(state), u_g).spread,
        pieces=piece_count.lost(state.pieces, lost_g),
        loss_g=0.0,
        loss_since=at,
    )
    seconds = 0.0 if since is None else min(since.age_s(at), 86_400.0)
    change = Change(lost_g, u_g, state.reference_g or 0.0, state.reference_u_g, at, seconds)
    return Accounted(after, (_event(shelf, EventKind.WATER_LOSS, change, state, after),))


def leaked(shelf: ShelfSettings, state: ScaleState, lost_g: float, level_g: float, at: Instant) -> Accounted:
    """Lost faster than any scale drifts, and without a hand."""
    u_g = shelf.drift_limit_g_per_h / 2
    after = replace(
        state,
        net_g=(state.net_g or 0.0) + lost_g,
        u_g=math.hypot(state.u_g, u_g),
        spread=estimate.taken_over(estimate.of(state), u_g).spread,
        reference_g=level_g,
        drift_tracked_g=state.drift_tracked_g - state.drift_hour_g,
        drift_hour_g=0.0,
        beyond_g=0.0,
        pieces=piece_count.unknown(state.pieces),
        confirmed=at,
    )
    change = Change(lost_g, u_g, level_g, state.reference_u_g, at)
    words = f"{lost_g:+.0f} g without a movement, faster than the {shelf.drift_limit_g_per_h:g} g/h a scale may drift"
    return Accounted(after, (_event(shelf, EventKind.DAMAGE, change, state, after, evidence=words),))


def unseen_for(state: ScaleState, now: Instant) -> str:
    """Why the time since the reference was confirmed counts as unseen; empty when it was short and of this boot."""
    if state.fault_since is not None:
        return f"after a fault since {state.fault_since.rfc3339()}"
    if state.confirmed is None:
        return "not weighed before"
    if state.confirmed.boot != now.boot:
        return f"after a restart of the board; last weighed at {state.confirmed.rfc3339()}"
    age_s = state.confirmed.age_s(now)
    return f"not weighed for {age_s:.0f} s" if age_s > OUTAGE_S else ""


def seconds_unseen(state: ScaleState, now: Instant) -> float:
    """Since the reference was confirmed: monotonic within a boot, by the wall where both clocks are right; else an
    hour is taken for it."""
    last = state.confirmed
    if last is None:
        return 0.0
    if last.boot == now.boot:
        return max(0.0, last.age_s(now))
    if ClockState.UNSYNCED in (last.clock, now.clock):
        return 3600.0
    return max(0.0, (now.wall_ms - last.wall_ms) / 1000)


def piece_g(state: ScaleState, product: Product | None) -> float | None:
    if state.pieces.model is not None:
        return state.pieces.model.mean_g
    return product.piece_g if product is not None else None


def fits(model: PieceModel | None, delta_g: float, u_g: float, *, sure: float = 3.0) -> bool:
    """A whole number of pieces, as well as that can be told; True where nobody knows a piece.

    >>> fits(PieceModel(100.0, 0.5, 2.0), 203.0, 1.0), fits(PieceModel(100.0, 0.5, 2.0), 230.0, 1.0)
    (True, False)
    >>> fits(PieceModel(100.0, 0.1, 0.5), 1420.0, 1.0)  # of a heavier delivery
    True
    """
    if model is None:
        return True
    k = round(delta_g / model.mean_g)
    u_mean_g = max(model.u_mean_g, DELIVERY * model.mean_g)
    variance = u_g**2 + abs(k) * model.sd_g**2 + (k * u_mean_g) ** 2
    return (delta_g - k * model.mean_g) ** 2 <= sure**2 * variance


def _inside(state: ScaleState) -> Balance:
    units, confidence = piece_count.units_of(state.pieces)
    counts = state.pieces.model is not None and state.pieces.guesses
    return Balance(state.net_g, units, state.u_g, confidence if counts else None)


def _event(
    shelf: ShelfSettings,
    kind: EventKind,
    change: Change,
    before: ScaleState,
    after: ScaleState,
    confidence: float = 1.0,
    evidence: str = "",
) -> StockEvent:
    return StockEvent(
        shelf=shelf.name,
        kind=kind,
        at=change.at,
        before=balance_of(before),
        after=balance_of(after),
        product=shelf.product,
        u_g=change.u_g,
        confidence=confidence,
        duration_s=change.duration_s,
        drift_tracked_g=after.drift_tracked_g,
        evidence=evidence,
    )
