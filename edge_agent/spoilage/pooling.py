"""One life from what several sources say of a product and of its kin: hierarchical, in the logarithm.

A product's sources lean on its kin, and the kin on the class default, each with the weight of its spread (Gelman et
al., Bayesian Data Analysis, 3rd ed., section 5.4); spreads are what is assumed beforehand and what the values show. A
source that is left out leaves its product's others to speak, and then the kin; nothing here knows who is judged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# Of ln life between two sources that tell of the same goods, beside the range each of them tells: with 0.40, 90 % of
# 245 words of the table lie in the 90 % band that the other sources give (tests/spoilage/test_pooling.py).
BETWEEN_SOURCES_SD = {"verified": 0.40, "recalled": 0.40, "class default": 0.45}
RANGE_SDS = 3.29  # a handbook's range is taken for 90 %
LEANING = 1.5  # so many times as far from its kin as they are from one another a product is taken to be
# They say how long goods may be stored, and leave something for the shop and the kitchen; trials, which all other
# sources are, tell when goods were no longer fit to be sold, and tell longer lives of the same goods.
HANDBOOKS = (
    *("HB66", "UC Davis", "WA Agriculture", "ASHRAE", "FAO 348", "FoodKeeper", "cargohandbook", "ICMSF", "Torry"),
    *("Produce Degradation", "dairies", "growers", "retail labels", "class default"),
)
DOUBT = 8.0  # products with both kinds that no difference between them is worth
BELIEF = 4.0  # sources, or products, that a spread assumed beforehand is worth


@dataclass(frozen=True, slots=True)
class Saying:
    """One source's life of goods, moved to the temperature at which they are compared."""

    ln_life: float
    range_sd: float  # of ln life: the range the source tells; 0: it tells none
    moved_sd: float  # what the way to that temperature adds
    source: str
    reliability: str


@dataclass(frozen=True, slots=True)
class Pooled:
    """ln life: the mean, how sure that is, and what the next source's word will differ from it."""

    ln_life: float
    mean_sd: float
    next_sd: float


def range_sd(low: float, high: float) -> float:
    """
    >>> round(range_sd(10.0, 20.0), 3)
    0.211
    """
    return math.log(high / low) / RANGE_SDS


def is_handbook(source: str) -> bool:
    return source.startswith(HANDBOOKS)


def trials_longer(products: Sequence[Sequence[Saying]]) -> float:
    """How much longer ln life is in trials than in handbooks, by the products that both tell of.

    >>> book, trial = (Saying(math.log(d), 0.0, 0.0, who, "verified") for d, who in ((10.0, "HB66"), (14.0, "Limbo")))
    >>> round(math.exp(trials_longer([[book, trial]] * 8)), 3)  # 1.4 times, and as much doubt
    1.183
    """
    apart = []
    for sayings in products:
        words = _by_source(sayings)
        books = [word.ln_life for word in words if is_handbook(word.source)]
        trials = [word.ln_life for word in words if not is_handbook(word.source)]
        if books and trials:
            apart.append(_mean(trials) - _mean(books))
    return median(apart) * len(apart) / (len(apart) + DOUBT) if apart else 0.0


def of_product(sayings: Sequence[Saying], kin: Pooled | None = None) -> Pooled:
    """Of goods by their own sources, one at least, leaning on their kin.

    >>> one = Saying(math.log(10.0), 0.0, 0.0, "Somebody 2001", "verified")
    >>> other = Saying(math.log(20.0), 0.0, 0.0, "Another 2009", "verified")
    >>> round(math.exp(of_product([one, other]).ln_life), 2)
    14.14
    """
    words = _by_source(sayings)
    weights = [1.0 / (_own_sd(word) ** 2 + word.moved_sd**2) for word in words]
    mean = _weighted([word.ln_life for word in words], weights)
    shown = sum(max((word.ln_life - mean) ** 2 - word.moved_sd**2, 0.0) for word in words)
    usual = math.sqrt(_mean([_own_sd(word) ** 2 for word in words]))
    spread = _spread(shown, len(words), usual)
    own = sum(weights) * (usual / spread) ** 2  # sources that contradict one another are worth less
    leaning = 0.0 if kin is None else (LEANING * kin.mean_sd) ** -2
    centre = mean if kin is None else (mean * own + kin.ln_life * leaning) / (own + leaning)
    told = _weighted([word.range_sd**2 for word in words], weights)
    mean_sd = (own + leaning) ** -0.5
    return Pooled(centre, mean_sd, math.sqrt(mean_sd**2 + spread**2 + told))


def of_group(default: Saying, products: Sequence[Pooled]) -> Pooled:
    """Of goods that nobody tells of, by the products of their group that are known, its class default being one of
    them, and its range the spread from product to product that is assumed before they are looked at.
    """
    own_sd = _own_sd(default)
    middles = [default.ln_life, *(one.ln_life for one in products)]
    centre = _mean(middles)
    own_sds = [own_sd, *(one.mean_sd for one in products)]
    shown = sum(max((middle - centre) ** 2 - sd**2, 0.0) for middle, sd in zip(middles, own_sds, strict=True))
    spread = _spread(shown, len(middles), max(default.range_sd, own_sd))
    weights = [1.0 / (spread**2 + sd**2) for sd in own_sds]
    mean_sd = math.hypot(spread, sum(weights) ** -0.5)
    return Pooled(_weighted(middles, weights), mean_sd, math.hypot(mean_sd, own_sd))


def _by_source(sayings: Sequence[Saying]) -> list[Saying]:
    """A source has one word, however many lives it tells: their mean."""
    found: dict[str, list[Saying]] = {}
    for saying in sayings:
        found.setdefault(saying.source, []).append(saying)
    return [
        Saying(
            ln_life=_mean([one.ln_life for one in some]),
            range_sd=math.sqrt(_mean([one.range_sd**2 for one in some])),
            moved_sd=_mean([one.moved_sd for one in some]),
            source=source,
            reliability=some[0].reliability,
        )
        for source, some in found.items()
    ]


def _own_sd(word: Saying) -> float:
    """Of one source about the truth: two sources differ by the square root of 2 as much."""
    return BETWEEN_SOURCES_SD[word.reliability] / math.sqrt(2)


def _spread(shown: float, count: int, assumed_sd: float) -> float:
    """What is assumed, and what ``count`` values show of it by the sum of their squares."""
    return math.sqrt((BELIEF * assumed_sd**2 + shown) / (BELIEF + count - 1))


def _weighted(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
