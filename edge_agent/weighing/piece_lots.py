"""What lies there after a movement: every guess split, its lots drawn down, equal ones joined."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from edge_agent.weighing.belief import (
    HABITS,
    MIN_PROBABILITY,
    Guess,
    PieceLot,
    PieceModel,
    Pieces,
    bounded,
    lying_there,
    mean2,
    mixed_lots,
)
from edge_agent.weighing.piece_ways import Branch, Odd

_HABITS_LAST = 0.98  # of what was learnt of habits stays, a movement
_MAX_LOTS = 3
_MAX_GUESSES = 16
_ENTERTAINED = 0.02  # a foreign thing less likely than this was pieces
_USUAL = 2.5  # standard deviations of a delivery's mean, within which nothing is odd about it
_LOST = 0.5  # less than this left on all guesses: nobody knows


def unknown(pieces: Pieces) -> Pieces:
    """Nobody knows the number any more; what was learnt of a piece stays."""
    if not pieces.guesses or pieces.model is None:
        return replace(pieces, guesses=())
    return replace(pieces, guesses=(), there=lying_there(pieces, pieces.model))


def guessed(
    pieces: Pieces, model: PieceModel, branches: Sequence[Branch], total: float, delta_g: float, u_g: float
) -> list[Guess]:
    """Every guess split into its branches: the number that moved, and whether it was a delivery of its own."""
    groups: dict[tuple[int, int, bool], list[Branch]] = {}
    for branch in branches:
        if branch.guess >= 0 and branch.weight > 0:
            key = (branch.guess, branch.k, branch.way.between is not None)
            groups.setdefault(key, []).append(branch)
    guesses: list[Guess] = []
    sd_g2 = mean2(pieces.spreads) * model.mean_g**2
    usual = _Usual(model.mean_g, model.u_mean_g**2, mean2(pieces.betweens), mean2(pieces.spreads))
    plausible = [_plausibility(usual, guess.lots) for guess in pieces.guesses]
    for (index, k, is_new), group in groups.items():
        probability = sum(branch.weight for branch in group) / total
        if probability > MIN_PROBABILITY:
            before = pieces.guesses[index]
            lots = _lots_after(pieces, model, before, k, group, (delta_g, u_g, sd_g2)) if before.units + k else ()
            probability *= _plausibility(usual, lots) / plausible[index]
            after = replace(before, units=before.units + k, probability=min(1.0, probability), lots=lots)
            guesses += _with_habits(pieces, after, is_new)
    return guesses


class _Usual(NamedTuple):
    """What deliveries of a product weigh."""

    mean_g: float
    variance_g2: float  # of that mean
    between_rel2: float
    spread_rel2: float


def _plausibility(usual: _Usual, lots: Sequence[PieceLot]) -> float:
    """1, and less when what must be left of a lot, by the weight of all, is like no delivery of this product.

    So a wrong number that nothing else contradicts gives itself away in the end.
    """
    excess = 0.0
    for lot in lots:
        usual_rel2 = usual.between_rel2 + usual.spread_rel2 / max(lot.units, 1.0)
        usual_g2 = usual.variance_g2 + usual_rel2 * usual.mean_g**2
        excess += max(0.0, (lot.mean_g - usual.mean_g) ** 2 / usual_g2 - _USUAL**2)
    return math.exp(-0.5 * min(excess, 100.0))


def _with_habits(pieces: Pieces, guess: Guess, is_new: bool) -> list[Guess]:
    """As soon as there is a choice of lots, and when another one comes, every habit is thinkable."""
    if len(guess.lots) < 2:
        return [replace(guess, habit=None)]
    if guess.habit is not None and not is_new:
        return [guess]
    shares = [0.5 * (known + usual) for known, usual in zip(pieces.habits, HABITS, strict=True)]
    return [replace(guess, probability=guess.probability * share, habit=habit) for habit, share in enumerate(shares)]


def foreign_among(pieces: Pieces, odd: Sequence[Odd], total: float, delta_g: float) -> list[Guess]:
    """The same pieces, and a foreign thing among them or no longer."""
    guesses = []
    for branch in odd:
        if branch.guess >= 0 and branch.foreign_share:
            guess = pieces.guesses[branch.guess]
            foreign_g = 0.0 if branch.k == 0 else guess.foreign_g + delta_g
            probability = branch.weight * branch.foreign_share / total
            if probability > (0.0 if branch.k == 0 else _ENTERTAINED * guess.probability):
                guesses.append(replace(guess, probability=probability, foreign_g=foreign_g))
    return guesses


def likeliest(pieces: Pieces, guesses: Sequence[Guess]) -> Pieces:
    """The likeliest guesses, equal ones joined, as far as they say something together."""
    alike: dict[tuple[object, ...], Guess] = {}
    for guess in sorted(guesses, key=lambda guess: -guess.probability):
        key = (guess.units, guess.foreign_g, guess.habit, len(guess.lots))
        same = alike.get(key)
        alike[key] = guess if same is None else replace(same, probability=same.probability + guess.probability)
    best = sorted(alike.values(), key=lambda guess: -guess.probability)[:_MAX_GUESSES]
    best = [guess for guess in best if guess.probability > MIN_PROBABILITY]
    known = sum(guess.probability for guess in best)
    if known < _LOST:
        return unknown(pieces)
    if known > 1:
        best = [replace(guess, probability=guess.probability / known) for guess in best]
    return _habits_learnt(replace(pieces, guesses=tuple(best), there=None))


def _habits_learnt(pieces: Pieces) -> Pieces:
    chosen = [guess for guess in pieces.guesses if guess.habit is not None]
    total = sum(guess.probability for guess in chosen)
    if total < _LOST:
        return pieces
    now = [sum(guess.probability for guess in chosen if guess.habit == n) / total for n in range(len(HABITS))]
    last = _HABITS_LAST
    return replace(pieces, habits=tuple(last * p + (1 - last) * q for p, q in zip(pieces.habits, now, strict=True)))


def _lots_after(
    pieces: Pieces,
    model: PieceModel,
    guess: Guess,
    k: int,
    group: Sequence[Branch],
    by: tuple[float, float, float],
) -> tuple[PieceLot, ...]:
    """The lots when k pieces came or went, in the ways of ``group`` by their weights.

    ``by``: the change in g, its standard uncertainty, and the variance from piece to piece in g^2.
    """
    if k == 0:
        return guess.lots
    delta_g, u_g, _ = by
    total = sum(branch.weight for branch in group)
    new = sum(branch.weight for branch in group if branch.way.between is not None) / total
    if new >= 0.5 or not guess.lots:
        return _fewer((*guess.lots, _new_lot(pieces, model, k, delta_g, u_g))) if k > 0 else ()
    shares = [0.0] * len(guess.lots)
    for branch in group:
        if branch.way.lot is not None:
            shares[branch.way.lot] += branch.weight / total / (1 - new)
        elif branch.way.between is None:
            for index, lot in enumerate(guess.lots):
                shares[index] += branch.weight / total / (1 - new) * lot.units / guess.units
    lots = [_changed(lot, share, k, by) for lot, share in zip(guess.lots, shares, strict=True)]
    total_g = sum(lot.units * lot.mean_g for lot in guess.lots) + delta_g
    return _together([lot for lot in lots if lot is not None], guess.units + k, total_g, model.mean_g)


def _changed(lot: PieceLot, share: float, k: int, by: tuple[float, float, float]) -> PieceLot | None:
    """A lot after ``share`` of the movement was its own; None: nothing of it is left.

    Two things are known of the rest: what the lot weighed less what went, and that they are pieces like those before.
    The scale weighs the rest anew, so its error does not grow with each movement; to be unsure whose pieces went does.
    """
    delta_g, u_g, sd_g2 = by
    units = lot.units + share * k
    if units < 0.5:
        return None
    rest_g = (lot.units * lot.mean_g + share * delta_g) / units
    blame_g2 = share * (1 - share) * ((delta_g - k * lot.mean_g) ** 2 + u_g**2)
    rest_g2 = (max((lot.units * lot.u_mean_g) ** 2, (share * u_g) ** 2) + blame_g2) / units**2
    alike_g2 = lot.u_mean_g**2 + sd_g2 / units
    gain = alike_g2 / (alike_g2 + rest_g2)
    mean_g = bounded(lot.mean_g + gain * (rest_g - lot.mean_g), lot.mean_g)
    return replace(lot, units=units, mean_g=mean_g, u_mean_g=math.sqrt(gain * rest_g2))


def _new_lot(pieces: Pieces, model: PieceModel, k: int, delta_g: float, u_g: float) -> PieceLot:
    """What the scale says of k new pieces, and what was known of such pieces before."""
    supposed_g2 = model.u_mean_g**2 + ((mean2(pieces.betweens) + mean2(pieces.spreads) / k) * model.mean_g**2)
    weighed_g2 = (u_g / k) ** 2
    gain = supposed_g2 / (supposed_g2 + weighed_g2)
    mean_g = bounded(model.mean_g + gain * (delta_g / k - model.mean_g), model.mean_g)
    return PieceLot(float(k), mean_g, math.sqrt(gain * weighed_g2))


def _fewer(lots: tuple[PieceLot, ...]) -> tuple[PieceLot, ...]:
    """The two oldest are one lot when there are too many."""
    if len(lots) <= _MAX_LOTS:
        return lots
    mean_g, u_mean_g, mixed_rel2 = mixed_lots(lots[:2])
    return (PieceLot(lots[0].units + lots[1].units, mean_g, u_mean_g, mixed_rel2, is_taught=True), *lots[2:])


def _together(lots: Sequence[PieceLot], units: int, total_g: float, usual_g: float) -> tuple[PieceLot, ...]:
    """The same lots, made to be ``units`` pieces of ``total_g``, which the scale knows better than each of them."""
    if units <= 0 or not lots:
        return ()
    many = units / sum(lot.units for lot in lots)
    heavy = total_g / sum(lot.units * many * lot.mean_g for lot in lots)
    return tuple(
        replace(lot, units=lot.units * many, mean_g=bounded(lot.mean_g * heavy, usual_g)) for lot in lots
    )  # fmt: skip


def lighter(guess: Guess, delta_g: float, usual_g: float) -> Guess:
    of_g = sum(lot.units * lot.mean_g for lot in guess.lots)
    if of_g <= 0 or of_g + delta_g <= 0:
        return guess
    factor = 1 + delta_g / of_g
    lots = tuple(replace(lot, mean_g=bounded(lot.mean_g * factor, usual_g)) for lot in guess.lots)
    return replace(guess, lots=lots)
