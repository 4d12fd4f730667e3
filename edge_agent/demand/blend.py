"""How much each candidate counts: weights for low, middle and high quantiles, learnt from what came, shrunk to a prior.

Exponentiated gradient on the pinball loss of the blended quantiles (Kivinen and Warmuth 1997; quantile averaging after
Lichtendahl et al. 2013). A category's and a product's own losses tilt the shop's weights, the less the fewer the days.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.chance import Chance
from edge_agent.domain.forecast import LEVELS

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

GROUP_OF_LEVEL = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2])  # low, middle, high
GROUPS = 3
STEPS = 100
STEP = 0.6
PULL = 0.3  # of the prior, where there are no rows
PRIOR_ROWS = 50.0
MOST_ROWS = 2_500  # a sample of more says no more about so few weights
TILT = 4.0  # of the log weight, for a loss lower by its whole
MOST_DIFFERENCE = 1.0
_LEVELS = np.asarray(LEVELS)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What came, and what each candidate had said of it."""

    said: Singles  # [candidates, rows, days, levels]; NaN: nothing said
    came: Floats  # [rows, days]; only looked at where ``weight`` is above 0
    weight: Floats  # [rows, days]; 0: not to be judged
    scale: Floats  # [rows], units a day


def pinball(came: Floats, quantiles: Floats) -> Floats:
    """[..., levels]: twice the pinball loss, so that its mean over the levels is near the CRPS."""
    error = came[..., None] - quantiles
    found: Floats = 2.0 * np.maximum(_LEVELS * error, (_LEVELS - 1.0) * error)
    return found


def mixed(said: Singles, weights: Floats) -> Floats:
    """[rows, days, levels], sorted: ``weights`` [groups, candidates], or [rows, groups, candidates].

    A candidate that says nothing (NaN) leaves its weight to the others; NaN where none says anything.
    """
    each = np.broadcast_to(weights, (said.shape[1], GROUPS, len(said)))[:, GROUP_OF_LEVEL]
    value, total = np.zeros(said.shape[1:]), np.zeros(said.shape[1:])
    for candidate, told in enumerate(said):  # one by one: bounds the memory
        has = np.isfinite(told)
        share = each[:, None, :, candidate] * has
        value += np.where(has, told, 0.0) * share
        total += share
    return np.sort(np.divide(value, total, out=np.full_like(value, np.nan), where=total > 0), axis=2)


def picked(weight: Floats, seed: int) -> tuple[Ints, Ints]:
    """Rows and days of what the shop's weights are learnt from: all that counts, or MOST_ROWS of them by chance."""
    rows, days = np.nonzero(weight > 0)
    if len(rows) > MOST_ROWS:
        chosen = Chance(seed).some(MOST_ROWS, len(rows))
        rows, days = rows[chosen], days[chosen]
    return rows, days


def learnt(said: Singles, came: Floats, weight: Floats, prior: Floats) -> Floats:
    """The shop's weights, [groups, candidates]; the prior where nothing was seen.

    ``said`` [candidates, outcomes, levels]; what came of each, and how much it counts.
    """
    if not len(came):
        return np.repeat(prior[None], GROUPS, axis=0)
    singles, mass = came.astype(np.float32), weight / weight.sum()
    return np.stack(
        [_descended(said[:, :, group == GROUP_OF_LEVEL], singles, mass, prior, group) for group in range(GROUPS)]
    )


def _descended(said: Singles, came: Singles, weight: Floats, prior: Floats, group: int) -> Floats:
    """One group's weights: ``said`` [candidates, rows, the group's levels]."""
    levels = _LEVELS[group == GROUP_OF_LEVEL].astype(np.float32)
    has = np.isfinite(said[:, :, 0])
    said = np.where(has[:, :, None], said, np.float32(0.0))
    mass: Singles = (weight / len(levels)).astype(np.float32)[:, None]
    start = np.log(prior)
    logs = start.copy()
    pull = PULL * PRIOR_ROWS / (PRIOR_ROWS + len(came))
    unit = 0.0
    for _ in range(STEPS):
        share = np.exp(logs - logs.max())[:, None] * has
        share = (share / np.maximum(share.sum(axis=0), 1e-12)).astype(np.float32)
        blend = np.einsum("crl,cr->rl", said, share)
        error = came[:, None] - blend
        unit = unit or float((np.maximum(levels * error, (levels - 1.0) * error) * mass).sum())
        slope = np.where(error > 0, -levels, 1.0 - levels) * mass
        whole = (slope * blend).sum(axis=1)
        gradient = np.einsum("rl,crl->c", slope, said) - has @ whole
        logs = logs - STEP * (gradient.astype(np.float64) / max(unit, 1e-12) + pull * (logs - start))
    found = np.exp(logs - logs.max())
    return np.asarray(found / found.sum())


def tilted(weights: Floats, losses: Floats, days: Floats, half_d: float) -> Floats:
    """[members, groups, candidates]: ``weights`` moved by each member's own losses, half as far at ``half_d`` days.

    ``losses`` [members, groups, candidates] are mean pinball losses, NaN where a candidate said nothing.
    """
    told = np.isfinite(losses)
    usual = (np.where(told, losses, 0.0) * weights).sum(axis=2, keepdims=True)
    usual /= np.maximum((weights * told).sum(axis=2, keepdims=True), 1e-12)
    difference = np.where(told & (usual > 0), losses / np.where(usual > 0, usual, 1.0) - 1.0, 0.0)
    trust = (days / (days + half_d))[:, None, None]
    found = weights * np.exp(-TILT * trust * np.clip(difference, -MOST_DIFFERENCE, MOST_DIFFERENCE))
    return np.asarray(found / found.sum(axis=2, keepdims=True))


class Losses:
    """Sums of the candidates' losses in scales, by member, taken part by part."""

    def __init__(self, members: int, candidates: int) -> None:
        self._total = np.zeros((members, GROUPS, candidates))
        self._days = np.zeros((members, candidates))
        self._seen = np.zeros(members)

    def add(self, of: Outcomes, member: Ints) -> None:
        """``member`` [rows]: whose each row is."""
        np.add.at(self._seen, member, of.weight.sum(axis=1))
        for candidate, said in enumerate(of.said):
            loss = pinball(of.came, said.astype(np.float64))
            has = np.isfinite(loss[:, :, 0]) & (of.weight > 0)
            share = np.where(has, of.weight, 0.0)
            for group in range(GROUPS):
                own = np.where(has, loss[:, :, group == GROUP_OF_LEVEL].mean(axis=2), 0.0)
                np.add.at(self._total[:, group, candidate], member, (own * share).sum(axis=1) / of.scale)
            np.add.at(self._days[:, candidate], member, share.sum(axis=1))

    def by(self, group: Ints, groups: int) -> "Losses":
        """Of groups of members; those of group -1 count for none."""
        found = Losses(groups, self._days.shape[1])
        own = group >= 0
        np.add.at(found._total, group[own], self._total[own])
        np.add.at(found._days, group[own], self._days[own])
        np.add.at(found._seen, group[own], self._seen[own])
        return found

    def mean(self) -> tuple[Floats, Floats]:
        """[members, groups, candidates], NaN where nothing was said; and how many (discounted) days tell it."""
        told = self._days[:, None, :] > 0
        return np.where(told, self._total / np.maximum(self._days[:, None, :], 1e-12), np.nan), self._seen
