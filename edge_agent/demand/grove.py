"""A grove: shallow trees grown on the shop's own days by gradient boosting, all quantiles in one tree (numpy only).

Friedman 2001 (boosting) and 2002 (a random share of the rows for each tree); split gain and shrinkage of leaves as in
Chen and Guestrin 2016, eq. 7. A tree's structure follows the mean pinball gradient; its leaves hold
each level's own quantile.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.chance import Chance
from edge_agent.domain.forecast import LEVELS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
Rows = NDArray[np.float32] | NDArray[np.float64]

BINS = 32
DEPTH = 5
ROUNDS = 60
RATE = 0.14
SHARE_OF_ROWS = 0.5
SHARE_OF_COLUMNS = 0.5
LEAST_IN_LEAF = 30.0  # weight
SPLIT_RIDGE = 5.0
LEAF_RIDGE = 20.0  # rows: a leaf of so many moves half way
CHUNK = 2048  # rows at once: bounds the memory
NO_SPLIT = BINS  # a threshold that every code is below


@dataclass(frozen=True, eq=False)
class Grove:
    edges: NDArray[np.float32]  # [columns, BINS - 1], rising; +inf where a column has fewer
    start: NDArray[np.float32]  # [levels]: what every row starts from
    column: Codes  # [trees, inner nodes], by levels of the tree
    threshold: Codes  # [trees, inner nodes]: codes above it go right
    leaf: NDArray[np.float16]  # [trees, leaves, levels]

    def predict(self, rows: Floats) -> Floats:
        """[rows, levels], sorted, 0 or more; in the unit it was grown in."""
        if rows.shape[1] != len(self.edges):
            raise ValueError(f"rows have {rows.shape[1]} columns: the grove was grown on {len(self.edges)}")
        codes = _codes(rows, self.edges)
        found = np.repeat(self.start[None].astype(np.float64), len(rows), axis=0)
        for column, threshold, leaf in zip(self.column, self.threshold, self.leaf, strict=True):
            found += leaf[_places(codes, column, threshold)]
        return np.sort(np.maximum(found, 0.0), axis=1)


@dataclass(frozen=True, eq=False)
class Coded:
    """Rows as their columns' codes: an eighth of the RAM."""

    codes: Codes  # [rows, columns]
    edges: NDArray[np.float32]  # as in Grove


def coded(rows: Rows) -> Coded:
    edges = _edges(rows)
    return Coded(_codes(rows, edges), edges)


def grow(of: Coded, target: Floats, weight: Floats, seed: int, rounds: int = ROUNDS, depth: int = DEPTH) -> Grove:
    """The same rows and seed give the same grove."""
    chance, codes = Chance(seed), of.codes
    total, columns = codes.shape
    levels = np.asarray(LEVELS)
    start = _weighted_quantiles(target, weight, levels).astype(np.float32)
    found = np.repeat(start[None], total, axis=0)
    inner, leaves = 2**depth - 1, 2**depth
    column, threshold = np.zeros((rounds, inner), np.uint8), np.full((rounds, inner), NO_SPLIT, np.uint8)
    leaf = np.zeros((rounds, leaves, len(levels)), np.float16)
    for tree in range(rounds):
        some = np.flatnonzero(chance.shares(total) < SHARE_OF_ROWS)
        own = chance.some(max(2, int(SHARE_OF_COLUMNS * columns)), columns)
        errors = target[some, None] - found[some]
        gradient = (levels.mean() - (errors < 0).mean(axis=1)) * weight[some]
        _split(codes[some], gradient, weight[some], own, column[tree], threshold[tree])
        where = _places(codes[some], column[tree], threshold[tree])
        leaf[tree] = RATE * _leaf_quantiles(where, leaves, errors, levels)
        for begin in range(0, total, CHUNK):
            part = slice(begin, begin + CHUNK)
            found[part] += leaf[tree][_places(codes[part], column[tree], threshold[tree])]
    return Grove(of.edges, start, column, threshold, leaf)


def _edges(rows: Rows) -> NDArray[np.float32]:
    """Borders between the codes: the column's own quantiles, each once."""
    found = np.full((rows.shape[1], BINS - 1), np.inf, np.float32)
    shares = np.linspace(0.0, 1.0, BINS + 1)[1:-1]
    for column, values in enumerate(rows.T):
        borders = np.unique(np.quantile(values, shares).astype(np.float32))
        found[column, : len(borders)] = borders
    return found


def _codes(rows: Rows, edges: NDArray[np.float32]) -> Codes:
    found = np.empty(rows.shape, np.uint8)
    for column, borders in enumerate(edges):
        found[:, column] = np.searchsorted(borders, rows[:, column].astype(np.float32), side="right")
    return found


def _places(codes: Codes, column: Codes, threshold: Codes) -> Ints:
    """The leaf each row falls into."""
    rows = np.arange(len(codes))
    node = np.zeros(len(codes), np.int64)  # counted within its level of the tree
    first = 0
    while first < len(column):
        at = first + node
        node = node * 2 + (codes[rows, column[at]] > threshold[at])
        first = first * 2 + 1
    return node


def _split(codes: Codes, gradient: Floats, weight: Floats, columns: Ints, column: Codes, threshold: Codes) -> None:
    """Fills one tree's columns and thresholds, level by level, each node with the split of the greatest gain."""
    first, nodes = 0, 1
    node = np.zeros(len(codes), np.int64)
    rows = np.arange(len(codes))
    while first < len(column):
        whole: Floats = np.bincount(node, gradient, nodes)[:, None].astype(np.float64)
        heavy: Floats = np.bincount(node, weight, nodes)[:, None].astype(np.float64)
        best = np.full(nodes, 1e-12)
        base = node * BINS
        for candidate in columns:
            gain = _gains(base + codes[:, candidate], gradient, weight, nodes, whole, heavy)
            border = gain.argmax(axis=1)
            value = gain[np.arange(nodes), border]
            better = value > best
            best[better] = value[better]
            column[first : first + nodes][better] = candidate
            threshold[first : first + nodes][better] = border[better]
        at = first + node
        node = node * 2 + (codes[rows, column[at]] > threshold[at])
        first, nodes = first + nodes, nodes * 2


def _gains(cell: Ints, gradient: Floats, weight: Floats, nodes: int, whole: Floats, heavy: Floats) -> Floats:
    """[nodes, codes]: how much a split above each code lessens the loss; -1 where a side would be too light."""
    left = np.bincount(cell, gradient, nodes * BINS).reshape(nodes, BINS).cumsum(axis=1)
    load = np.bincount(cell, weight, nodes * BINS).reshape(nodes, BINS).cumsum(axis=1)
    gain = left**2 / (load + SPLIT_RIDGE) + (whole - left) ** 2 / np.maximum(heavy - load + SPLIT_RIDGE, SPLIT_RIDGE)
    gain -= whole**2 / (heavy + SPLIT_RIDGE)
    found: Floats = np.where((load < LEAST_IN_LEAF) | (heavy - load < LEAST_IN_LEAF), -1.0, gain)
    return found


def _leaf_quantiles(where: Ints, leaves: int, errors: Floats, levels: Floats) -> Floats:
    """[leaves, levels]: each level's quantile of its own errors in the leaf, drawn towards 0 where rows are few."""
    count = np.bincount(where, minlength=leaves)
    if not len(where):
        return np.zeros((leaves, len(levels)))
    least, span = errors.min(), max(float(np.ptp(errors)), 1e-9) * (1.0 + 1e-9)
    last = np.maximum(count - 1, 0)
    begin = np.minimum(np.concatenate([[0], np.cumsum(count)[:-1]]), len(where) - 1)
    found = np.empty((leaves, len(levels)))
    for number, level in enumerate(levels):  # one by one: bounds the memory
        keys = np.sort(where + (errors[:, number] - least) / span)  # by leaf, then by error: one plain sort
        place = level * last
        below = np.floor(place).astype(np.int64)
        low, high = keys[begin + below], keys[begin + np.minimum(below + 1, last)]
        found[:, number] = (low + (place - below) * (high - low) - np.arange(leaves)) * span + least
    return np.asarray(found * (count / (count + LEAF_RIDGE))[:, None])


def _weighted_quantiles(values: Floats, weight: Floats, levels: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    found: Floats = values[order][np.minimum(np.searchsorted(share, levels), len(values) - 1)]
    return found
