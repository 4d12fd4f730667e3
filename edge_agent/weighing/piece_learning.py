"""What the weight of a piece is, as learnt from deliveries, picks and counts."""

import math
from collections.abc import Sequence
from dataclasses import replace

from edge_agent.weighing.belief import (
    MIXED,
    Guess,
    PieceLot,
    PieceModel,
    Pieces,
    mean2,
    never_weighed,
    normal_density,
    rms,
    typical,
)
from edge_agent.weighing.piece_ways import Branch

# Standard deviation from piece to piece, as a share of the mean: what is thinkable, and around 2 % what is likely.
_SPREADS = (0.001, 0.002, 0.004, 0.007, 0.012, 0.02, 0.035, 0.06, 0.1, 0.2)
_LIKELY_SPREAD, _SPREAD_FACTOR = 0.02, 2.5
# Of the mean, from delivery to delivery.
_BETWEENS = (0.003, 0.006, 0.012, 0.02, 0.035, 0.06, 0.12)
_LIKELY_BETWEEN, _BETWEEN_FACTOR = 0.025, 2.0
_U_FORGET = 0.005  # of the mean and delivery: seasons and suppliers change
SURE_ENOUGH_TO_LEARN = 0.95
_LEAST_SHARE = 1e-5  # of a spread that nothing speaks for


def learnt_first(pieces: Pieces, mean_g: float, u_mean_g: float, sd_g: float | None) -> Pieces:
    spreads = _around(_SPREADS, _LIKELY_SPREAD, _SPREAD_FACTOR)
    if sd_g is not None:
        spreads = ((min(max(sd_g / mean_g, _SPREADS[0]), _SPREADS[-1]), 1.0),)
    betweens = _around(_BETWEENS, _LIKELY_BETWEEN, _BETWEEN_FACTOR)
    model = PieceModel(mean_g, u_mean_g, typical(spreads) * mean_g)
    return replace(pieces, model=model, spreads=spreads, betweens=betweens)


def _around(values: Sequence[float], likely: float, factor: float) -> tuple[tuple[float, float], ...]:
    """Log-normal weights."""
    weights = [math.exp(-0.5 * (math.log(value / likely) / math.log(factor)) ** 2) for value in values]
    return tuple((value, weight / sum(weights)) for value, weight in zip(values, weights, strict=True))


def spreads_learnt(pieces: Pieces, branches: Sequence[Branch], total: float) -> Pieces:
    """Bayes over the spreads: what each of them would have said of this movement, whatever number it was."""
    odd = total - sum(branch.weight for branch in branches)
    sums = [odd * p for _, p in pieces.spreads]
    for branch in branches:
        for index, weight in enumerate(branch.by_spread):
            sums[index] += weight
    spreads = _normalised(pieces.spreads, sums)
    model = pieces.model
    if model is not None:
        model = replace(model, sd_g=typical(spreads) * model.mean_g)
    return replace(pieces, spreads=spreads, model=model)


def _normalised(grid: Sequence[tuple[float, float]], weights: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """None of them ever dies out: a supplier may change."""
    total = sum(weights)
    if total <= 0:
        return tuple(grid)
    floored = [max(weight / total, _LEAST_SHARE) for weight in weights]
    whole = sum(floored)
    return tuple((value, weight / whole) for (value, _), weight in zip(grid, floored, strict=True))


def there_learnt(pieces: Pieces, model: PieceModel, k: int, delta_g: float, u_g: float) -> PieceModel:
    """The mean of pieces whose number nobody knows, from k of them; never surer than the lots among them allow."""
    there = pieces.there or never_weighed(pieces, model)
    floor_g = MIXED * rms(pieces.betweens) * model.mean_g
    if k > 0:  # it lies among the others now
        return replace(there, u_mean_g=math.hypot(there.u_mean_g, floor_g))
    found_g2 = (u_g / k) ** 2 + mean2(pieces.spreads) * model.mean_g**2 / -k
    gain = there.u_mean_g**2 / (there.u_mean_g**2 + found_g2)
    u_mean_g = max(floor_g, math.sqrt(1 - gain) * there.u_mean_g)
    return PieceModel(there.mean_g + gain * (delta_g / k - there.mean_g), u_mean_g, model.sd_g)


def taught(pieces: Pieces) -> Pieces:
    """Once the number is sure, perhaps long after they came: what the lots say of the product."""
    if not pieces.guesses or pieces.odds[0][1] < SURE_ENOUGH_TO_LEARN:
        return pieces
    for lot in pieces.guesses[0].lots:
        if not lot.is_taught and pieces.model is not None:
            pieces = _delivery_learnt(pieces, pieces.model, lot)
    return replace(pieces, guesses=tuple(_known(guess) for guess in pieces.guesses))


def _known(guess: Guess) -> Guess:
    if all(lot.is_taught for lot in guess.lots):
        return guess
    return replace(guess, lots=tuple(replace(lot, is_taught=True) for lot in guess.lots))


def _delivery_learnt(pieces: Pieces, model: PieceModel, lot: PieceLot) -> Pieces:
    """Normal prior, normal observation; older deliveries fade."""
    apart_g2 = lot.u_mean_g**2 + mean2(pieces.spreads) * model.mean_g**2 / lot.units
    off_g2 = (lot.mean_g - model.mean_g) ** 2
    betweens = _normalised(
        pieces.betweens,
        [
            p * normal_density(off_g2, model.u_mean_g**2 + apart_g2 + (rel * model.mean_g) ** 2)
            for rel, p in pieces.betweens
        ],
    )
    found_g2 = apart_g2 + mean2(betweens) * model.mean_g**2
    gain = model.u_mean_g**2 / (model.u_mean_g**2 + found_g2)
    learnt_g = model.mean_g + gain * (lot.mean_g - model.mean_g)
    u_g = math.hypot(math.sqrt(1 - gain) * model.u_mean_g, _U_FORGET * learnt_g)
    return replace(pieces, betweens=betweens, model=PieceModel(learnt_g, u_g, typical(pieces.spreads) * learnt_g))
