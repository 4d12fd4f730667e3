"""shadow: how often the comparison of a new model with the old one ends as it should, in worlds whose truth is known.

Pairs of demand models whose losses are in a known ratio, and shops that see of the life of a lot what shops see.
"""

import argparse
import math
import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from chaos_parts.figures import Figure

from edge_agent.domain.shelf_life import LEVELS
from edge_agent.inference.shadow import MOST_DAYS, Pair, Shadow, Verdict, judged, with_losses
from edge_agent.spoilage.contest import Span, loss, span
from edge_agent.spoilage.features import OFFSET_D
from edge_agent.spoilage.growth import normal_quantile

FIRST = date(2026, 3, 1)
DAYS = 14  # wanted, as a node is shipped
PAIRS, PAIR_OUTCOMES, PAIR_WANTED = 300, 40, 200
SHOPS, SHOP_OUTCOMES, SHOP_WANTED = 60, 4, 60
WEATHER, OWN = 0.3, 0.2  # sd of the logarithm of a loss: what both have in common on a day, and each by itself
SD = 0.3  # of the logarithm of a life
SOLD = 0.7  # of the lots somebody would buy at any time up to twice their life

# Ratio of the losses, new to old, and how many of 100 may be promoted.
RATIOS = ((0.90, ">= 98"), (0.97, ">= 98"), (1.00, ">= 70"), (1.02, "<= 30"), (1.05, "<= 3"), (1.10, "<= 1"))
# What the models make of the true median, old and new, and how many of 100 may be promoted.
MEDIANS = (
    (1.0, 0.7, "<= 2"),
    (1.0, 0.85, "<= 10"),
    (1.0, 0.95, ""),
    (1.0, 1.1, ""),
    (1.0, 1.2, "<= 10"),
    (0.85, 1.0, ">= 90"),
    (1.2, 1.0, ">= 90"),
)


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    figures = []
    for ratio, goal in RATIOS:
        say(f"shadow: {PAIRS} pairs of models, the new one's loss {ratio:g} of the old one's")
        found = _promoted(PAIRS, partial(of_pairs, ratio))
        figures.append(Figure(f"promoted, its true loss {ratio - 1:+.0%}", found, "%", goal))
    for old, new, goal in MEDIANS:
        say(f"shadow: {SHOPS} shops, medians told of {old:g} (old) and {new:g} (new) of the true ones")
        found = _promoted(SHOPS, partial(of_shop, old, new))
        figures.append(Figure(f"promoted, medians told {old:g} (old) and {new:g} (new)", found, "%", goal))
    return figures


def _promoted(count: int, verdict: Callable[[int], Verdict]) -> float:
    """Percent of so many worlds."""
    return round(100 * sum(verdict(seed) is Verdict.PROMOTE for seed in range(count)) / count, 1)


def of_pairs(ratio: float, seed: int) -> Verdict:
    """Two models whose losses share the day's weather, as demand's do."""
    draw = random.Random(seed)

    def day() -> list[Pair]:
        weather, pairs = draw.lognormvariate(0, WEATHER), []
        for _ in range(PAIR_OUTCOMES):
            hard = weather * draw.expovariate(1)
            pairs.append(Pair(hard * ratio * draw.lognormvariate(0, OWN), hard * draw.lognormvariate(0, OWN)))
        return pairs

    return _first_verdict(day, PAIR_WANTED)


def of_shop(old: float, new: float, seed: int) -> Verdict:
    """Of a shop that sells most lots in time; ``old`` and ``new``: what the models make of the true median."""
    draw = random.Random(seed)

    def day() -> list[Pair]:
        pairs = []
        for _ in range(SHOP_OUTCOMES):
            median_d, known = outcome(draw, SOLD)
            new_loss, old_loss = (loss(told(each * median_d), known) for each in (new, old))
            pairs.append(Pair(new_loss, old_loss, is_end=known.is_end))
        return pairs

    return _first_verdict(day, SHOP_WANTED)


def _first_verdict(day: Callable[[], Sequence[Pair]], outcomes_wanted: int) -> Verdict:
    """Day by day, as a node looks at them, until something is decided."""
    shadow = Shadow("1.1", "1.0")
    for number in range(MOST_DAYS * DAYS):
        shadow = with_losses(shadow, FIRST + timedelta(days=number), day())
        found = judged(shadow, DAYS, outcomes_wanted).verdict
        if found is not Verdict.WATCH:
            return found
    return Verdict.WATCH


def told(median_d: float, sd: float = SD) -> tuple[float, ...]:
    """Remaining days at the levels, of lives that scatter log-normally."""
    return tuple(math.exp(math.log(median_d + OFFSET_D) + normal_quantile(level) * sd) - OFFSET_D for level in LEVELS)


def outcome(draw: random.Random, sold: float) -> tuple[float, Span]:
    """Median of a life in days, and what is known of it: lives scatter by SD; some goods are bought meanwhile, the
    others are found at the next look of the day."""
    median_d = draw.uniform(2.0, 12.0)
    life_d = math.exp(math.log(median_d + OFFSET_D) + SD * draw.gauss(0.0, 1.0)) - OFFSET_D
    bought_d = draw.uniform(0.0, 2 * median_d) if draw.random() < sold else math.inf
    if bought_d < life_d:
        return median_d, _said("sold", "", bought_d)
    first_look_d = draw.uniform(0.0, 1.0)
    return median_d, _said("wasted", "spoiled", first_look_d + math.ceil(max(0.0, life_d - first_look_d)))


def _said(kind: str, reason: str, after_d: float) -> Span:
    found = span(kind, reason, after_d, 9.0)
    if found is None:
        raise ValueError(f"{kind} ({reason}): must say something of an age")
    return found
