"""The ways in which a movement of some grams can be a number of pieces, each with its weight of evidence."""

import math
from collections.abc import Iterator, Sequence
from math import exp, sqrt
from typing import NamedTuple

from edge_agent.weighing.belief import (
    ANY,
    OLDEST,
    Guess,
    PieceModel,
    Pieces,
    lying_there,
    means_of,
    mixed_lots,
    normal_density,
    odd_density,
    prior_of,
    thinkable_numbers,
    unlisted_share,
)

_FOREIGN = 0.5  # of what is odd and was put: a foreign thing, and the pieces are as before
_FOREIGN_BACK = 0.2  # of what is taken while a foreign thing lies there: that thing
_ROOT_2_PI = math.sqrt(2 * math.pi)
_RETURNED = 0.5  # of the single pieces that come: one that was taken before
_MORE = 0.4  # of what comes by the crate: more of the last delivery, which is put up by handfuls
_DEPTH = 0.25  # of the pieces: how far into the row (1/e) who takes from one end reaches
_ONE_LOT = 0.8  # of the movements: all of one lot
_LEAST_WORTH = 1e-6  # of the likeliest: what is less likely changes nothing
_WORTH = 0.7  # power of what a pick says for one guess against another: picks are no independent draws of pieces


class _Way(NamedTuple):
    """One way in which pieces come or go."""

    share: float  # of the movements of this direction
    mean_g: float
    u_mean_g: float
    lot: int | None = None  # index of the lot; None: a new delivery, or of all lots at random
    between: int | None = None  # index of the spread between deliveries that it supposes
    most: float = math.inf  # pieces that can go this way
    of: float = math.inf  # number they are taken from, when the weight of all of these together is known
    mixed_rel2: float = 0.0  # variance between lots / mean^2, where lots are mixed
    joined: float = 0.0  # number of pieces in the lot they come to
    is_newest: bool = False  # that lot


class Branch(NamedTuple):
    guess: int  # index; -1: of any other number
    k: int  # with its sign
    way: _Way
    by_spread: tuple[float, ...]  # density times priors, under each spread from piece to piece
    weight: float


class Odd(NamedTuple):
    """Something moved that is no whole number of pieces."""

    guess: int
    k: int | None  # 0: a foreign thing went, the pieces are known as before
    weight: float
    foreign_share: float  # of it: the pieces are as before


def branches_of(pieces: Pieces, model: PieceModel, delta_g: float, u_g: float) -> Iterator[Branch]:
    if not pieces.guesses:
        there = lying_there(pieces, model)
        ways = _deliveries(pieces, model) if delta_g >= 0 else [_Way(1.0, there.mean_g, there.u_mean_g)]
        yield from _of_ways(pieces, model, (-1, 1.0), ways, delta_g, u_g)
        return
    fresh = _fresh(pieces, model, delta_g, u_g)
    for index, guess in enumerate(pieces.guesses):
        ways = _returns(guess) if delta_g >= 0 else _outgoing(guess, model)
        yield from _of_ways(pieces, model, (index, guess.probability), ways, delta_g, u_g)
        yield from (_beside(branch, index, guess) for branch in fresh)


def _fresh(pieces: Pieces, model: PieceModel, delta_g: float, u_g: float) -> list[Branch]:
    """A delivery of its own, of any number: looked at once, for all guesses."""
    if delta_g < 0:
        return []
    branches = list(_of_ways(pieces, model, (-1, 1.0), _deliveries(pieces, model), delta_g, u_g))
    least = _LEAST_WORTH * max((branch.weight for branch in branches), default=0.0)
    return [branch for branch in branches if branch.weight > least]


def _beside(branch: Branch, index: int, guess: Guess) -> Branch:
    """A delivery is the same whatever lies there already; but there it may be something else instead."""
    share = guess.probability * (_new_share(branch.k) if guess.units and guess.lots else 1.0)
    by_spread = tuple([weight * share for weight in branch.by_spread])
    return Branch(index, branch.k, branch.way, by_spread, branch.weight * share)


def tempered(pieces: Pieces, branches: list[Branch], delta_g: float) -> list[Branch]:
    """Picks lie side by side and come by handfuls: many of them prove less than as many draws would."""
    if delta_g >= 0 or len(pieces.guesses) < 2:
        return branches
    sums = [0.0] * len(pieces.guesses)
    for branch in branches:
        sums[branch.guess] += branch.weight / pieces.guesses[branch.guess].probability
    best = max(sums)
    factors = [(one / best) ** (_WORTH - 1) if one > 0 else 1.0 for one in sums]
    return [
        branch._replace(
            weight=branch.weight * factors[branch.guess],
            by_spread=tuple(weight * factors[branch.guess] for weight in branch.by_spread),
        )
        for branch in branches
    ]


def odd_branches(pieces: Pieces, model: PieceModel, delta_g: float, u_g: float) -> Iterator[Odd]:
    odd = odd_density(delta_g, model.mean_g)
    if not pieces.guesses:
        yield Odd(-1, None, odd, 0.0)
    for index, guess in enumerate(pieces.guesses):
        yield Odd(index, None, guess.probability * odd, _FOREIGN if delta_g > 0 else 0.0)
        if guess.foreign_g and delta_g < 0:
            back = _FOREIGN_BACK * normal_density((delta_g + guess.foreign_g) ** 2, 2 * u_g**2)
            yield Odd(index, 0, guess.probability * back, 1.0)


def of_unlisted(pieces: Pieces, branches: Sequence[Branch], odd: Sequence[Odd]) -> float:
    """Any other number explains a movement as well as the guesses do, but not that their foreign thing went."""
    if not pieces.guesses:
        return 0.0
    alike = sum(branch.weight for branch in branches) + sum(one.weight for one in odd if one.k is None)
    unlisted = unlisted_share(pieces)
    return unlisted / (1 - unlisted) * alike


def _of_ways(
    pieces: Pieces, model: PieceModel, of: tuple[int, float], ways: Sequence[_Way], delta_g: float, u_g: float
) -> Iterator[Branch]:
    guess, probability = of
    if probability <= 0:
        return
    sign, size_g = (1, delta_g) if delta_g >= 0 else (-1, -delta_g)
    mean_g2 = model.mean_g**2
    spreads = [(p / _ROOT_2_PI, rel * rel * mean_g2) for rel, p in pieces.spreads]
    widest_g = max((rel for rel, p in pieces.spreads if p > 0.01), default=0.0) * model.mean_g
    for way in ways:
        for k in thinkable_numbers(size_g, u_g, way.mean_g, way.u_mean_g, widest_g):
            prior = probability * prior_of(k) * _share(way, k)
            if k > way.most or not prior:
                continue
            apart = _pieces_apart(way, k)
            fixed_g2 = u_g**2 + (k * way.u_mean_g) ** 2 + apart * way.mixed_rel2 * mean_g2
            half_g2 = -0.5 * (size_g - k * way.mean_g) ** 2
            variances = [(p, fixed_g2 + apart * sd_g2) for p, sd_g2 in spreads]
            # Normal densities, written out: half of a movement's time is spent here.
            by_spread = tuple([prior * p * exp(half_g2 / g2) / sqrt(g2) for p, g2 in variances])
            yield Branch(guess, sign * k, way, by_spread, sum(by_spread))


def _pieces_apart(way: _Way, k: int) -> float:
    """How many independent pieces' variance there is in k of them.

    k of n pieces whose weight together is known differ from k/n of it by k (n - k)/n (Cochran, Sampling
    Techniques, 2.6): nothing is uncertain when all of them go. k more of a lot of which n were weighed: k (n + k)/n.
    """
    if way.joined:
        return k * (1 + k / way.joined)
    return float(k) if way.of == math.inf else k * max(0.0, 1 - k / way.of)


def _share(way: _Way, k: int) -> float:
    """What comes in small numbers may have been taken from here; what comes by the crate is a delivery, or the next
    handful of the last one."""
    if not way.joined:
        return way.share
    returned = _RETURNED / max(k, 1)
    return way.share * returned + way.is_newest * (1 - returned) * _MORE


def _new_share(k: int) -> float:
    """That it is a delivery of its own, where something lies there already."""
    return (1 - _RETURNED / max(k, 1)) * (1 - _MORE)


def _deliveries(pieces: Pieces, model: PieceModel) -> list[_Way]:
    return [
        _Way(p, mean_g, math.hypot(u_mean_g, rel * mean_g), between=index)
        for index, ((rel, p), (mean_g, u_mean_g)) in enumerate(
            zip(pieces.betweens, means_of(pieces, model), strict=True)
        )
    ]


def _returns(guess: Guess) -> list[_Way]:
    return [
        _Way(
            lot.units / guess.units,
            lot.mean_g,
            lot.u_mean_g,
            index,
            mixed_rel2=lot.mixed_rel2,
            joined=lot.units,
            is_newest=index == len(guess.lots) - 1,
        )
        for index, lot in enumerate(guess.lots)
        if guess.units
    ]


def _outgoing(guess: Guess, model: PieceModel) -> list[_Way]:
    """All of one lot, or of all lots at random; a habit says of which. It must be one hypothesis from pick to pick:
    were each pick a new draw of lots, a lot that nobody ever takes from would prove by its absence what it weighs."""
    if not guess.units or not guess.lots:
        return [_Way(1.0, model.mean_g, 0.0, most=float(guess.units))]
    if len(guess.lots) == 1:
        (lot,) = guess.lots
        return [
            _Way(1.0, lot.mean_g, lot.u_mean_g, 0, most=guess.units, of=guess.units, mixed_rel2=lot.mixed_rel2)
        ]  # fmt: skip
    ways = [
        _Way(_ONE_LOT * share, lot.mean_g, lot.u_mean_g, n, most=lot.units + 0.5, mixed_rel2=lot.mixed_rel2)
        for n, (lot, share) in enumerate(zip(guess.lots, _reached(guess), strict=True))
    ]
    mean_g, u_mean_g, mixed_rel2 = mixed_lots(guess.lots)
    mixed = _Way(1 - _ONE_LOT, mean_g, u_mean_g, most=guess.units, of=guess.units, mixed_rel2=mixed_rel2)
    return [*ways, mixed]


def _reached(guess: Guess) -> list[float]:
    """Of each lot, how likely a piece is taken from it: they lie in a row, the oldest in front."""
    if guess.habit == ANY or guess.habit is None:
        return [lot.units / guess.units for lot in guess.lots]
    lots = guess.lots if guess.habit == OLDEST else guess.lots[::-1]
    shares, behind, left = [], 0.0, 1.0
    for lot in lots:
        behind += lot.units / guess.units
        beyond = math.exp(-behind / _DEPTH)
        shares.append(left - beyond)
        left = beyond
    return shares if guess.habit == OLDEST else shares[::-1]
