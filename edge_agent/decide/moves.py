"""What was taken from one shelf and put on another is told as a move. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot

from edge_agent.domain.instant import Instant
from edge_agent.domain.stock import EventKind, StockEvent

WITHIN_S = 90.0  # from the pick to the restock: a walk through the storeroom, with both hands full
AGREE = 3.0  # combined standard uncertainties: 99.7 % of what was really carried over agrees so well

Picks = tuple[StockEvent, ...]  # lately, and not yet put down anywhere


@dataclass(frozen=True, slots=True)
class Paired:
    events: tuple[StockEvent, ...]
    picks: Picks


def pair(picks: Picks, events: Sequence[StockEvent], now: Instant) -> Paired:
    """The events with each restock that answers a pick told as a move; and the picks still unanswered.

    The pick was told when it happened and stays as it was: of the two, the second says what both were. With two
    picks that could be it nobody knows, and the restock stays one.
    """
    if not events and not picks:
        return Paired((), ())
    picks = tuple(pick for pick in picks if pick.at.age_s(now) <= WITHIN_S)
    told = []
    for event in sorted(events, key=lambda each: each.at.mono_ms):
        candidates = [pick for pick in picks if event.kind is EventKind.RESTOCK and _is_answer(pick, event)]
        if len(candidates) == 1:
            event = replace(event, kind=EventKind.MOVE, counterpart=candidates[0].shelf)
            picks = tuple(pick for pick in picks if pick is not candidates[0])
        elif event.kind is EventKind.PICK:
            picks = (*picks, event)
        told.append(event)
    return Paired(tuple(told), picks)


def _is_answer(pick: StockEvent, restock: StockEvent) -> bool:
    """The same goods have the same weight, to the uncertainty of two scales; and they do not contradict the shelf.

    What lies on a shelf for another product may be put there all the same, if it is no sure number of its pieces.
    """
    if pick.shelf == restock.shelf or pick.delta_g is None or restock.delta_g is None:
        return False
    if not 0 <= pick.at.age_s(restock.at) <= WITHIN_S:
        return False
    if abs(pick.delta_g + restock.delta_g) > AGREE * hypot(pick.u_g, restock.u_g):
        return False
    is_its_own = restock.moved_units is not None and not restock.is_ambiguous
    return pick.product is None or restock.product in (None, pick.product) or not is_its_own
