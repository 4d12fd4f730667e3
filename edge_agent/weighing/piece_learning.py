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
    means_of,
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
_FORGET = 0.2  # of what deliveries differ by, a delivery: seasons and suppliers change
SURE_ENOUGH_TO_LEARN = 0.95
_LEAST_SHARE = 1e-5  # of a spread that nothing speaks for


def learnt_first(pieces: Pieces, mean_g: float, u_mean_g: float, sd_g: float | None) -> Pieces:
    spreads = _around(_SPREADS, _LIKELY_SPREAD, _SPREAD_FACTOR)
    if sd_g is not None:
        spreads = ((min(max(sd_g / mean_g, _SPREADS[0]), _SPREADS[-1]), 1.0),)
    betweens = _around(_BETWEENS, _LIKELY_BETWEEN, _BETWEEN_FACTOR)
    model = PieceModel(mean_g, u_mean_g, typical(spreads) * mean_g)
    means = ((mean_g, u_mean_g),) * len(betweens)
    return replace(pieces, model=model, spreads=spreads, betweens=betweens, means=means)


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
    """Normal prior, normal observation, under each spread between deliveries; older deliveries fade."""
    apart_g2 = lot.u_mean_g**2 + mean2(pieces.spreads) * model.mean_g**2 / lot.units
    sums, means = [], []
    for (rel, p), (mean_g, u_mean_g) in zip(pieces.betweens, means_of(pieces, model), strict=True):
        found_g2 = apart_g2 + (rel * mean_g) ** 2
        sums.append(p * normal_density((lot.mean_g - mean_g) ** 2, u_mean_g**2 + found_g2))
        learnt_g, learnt_g2 = _nearer(mean_g, u_mean_g**2, lot.mean_g, found_g2)
        means.append((learnt_g, math.sqrt(learnt_g2 + (_FORGET * rel * mean_g) ** 2)))
    return _with_means(pieces, _normalised(pieces.betweens, sums), means)


def deliveries_learnt(
    pieces: Pieces, model: PieceModel, branches: Sequence[Branch], total: float, delta_g: float, u_g: float
) -> Pieces:
    """Bayes over spread between deliveries and mean, from what came, whatever number it was.

    To learn only from what is sure would be to learn from chosen deliveries, and never from crates of many.
    """
    came: dict[int, dict[int, float]] = {}
    for branch in branches:
        if branch.way.between is not None and branch.k > 0:
            by_number = came.setdefault(branch.way.between, {})
            by_number[branch.k] = by_number.get(branch.k, 0.0) + branch.weight
    if not came:
        return pieces
    other = max(0.0, total - sum(sum(by_number.values()) for by_number in came.values()))
    sums, means = [], []
    for index, ((rel, p), (mean_g, u_mean_g)) in enumerate(
        zip(pieces.betweens, means_of(pieces, model), strict=True)
    ):  # fmt: skip
        parts = [(p * other, mean_g, u_mean_g**2)]
        for k, weight in came.get(index, {}).items():
            found_g2 = (u_g / k) ** 2 + mean2(pieces.spreads) * mean_g**2 / k + (rel * mean_g) ** 2
            learnt_g, learnt_g2 = _nearer(mean_g, u_mean_g**2, delta_g / k, found_g2)
            parts.append((weight, learnt_g, learnt_g2 + (_FORGET * rel * mean_g) ** 2))
        sums.append(sum(weight for weight, _, _ in parts))
        means.append(_moments(parts))
    return _with_means(pieces, _normalised(pieces.betweens, sums), means)


def _nearer(mean_g: float, variance_g2: float, found_g: float, found_g2: float) -> tuple[float, float]:
    """Of two independent normal values: mean and variance."""
    gain = variance_g2 / (variance_g2 + found_g2)
    return mean_g + gain * (found_g - mean_g), (1 - gain) * variance_g2


def _moments(parts: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Mean and standard deviation of a mixture of (weight, mean, variance)."""
    total = sum(weight for weight, _, _ in parts)
    if total <= 0:
        return parts[0][1], math.sqrt(parts[0][2])
    mean_g = sum(weight * one_g for weight, one_g, _ in parts) / total
    variance_g2 = sum(weight * (one_g2 + (one_g - mean_g) ** 2) for weight, one_g, one_g2 in parts) / total
    return mean_g, math.sqrt(variance_g2)


def _with_means(
    pieces: Pieces, betweens: tuple[tuple[float, float], ...], means: Sequence[tuple[float, float]]
) -> Pieces:
    mean_g, u_mean_g = _moments([(p, m, u**2) for (_, p), (m, u) in zip(betweens, means, strict=True)])
    model = PieceModel(mean_g, u_mean_g, typical(pieces.spreads) * mean_g)
    return replace(pieces, betweens=betweens, means=tuple(means), model=model)


def newest_known(guess: Guess, k: int) -> Guess:
    """That k came was sure at once: the product has learnt from it, where they are a lot of their own."""
    if not guess.lots or guess.lots[-1].is_taught or guess.lots[-1].units != k:
        return guess
    return replace(guess, lots=(*guess.lots[:-1], replace(guess.lots[-1], is_taught=True)))
