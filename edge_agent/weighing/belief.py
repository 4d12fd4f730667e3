"""What is believed of the pieces on a shelf, as values; and what can be read off it without changing it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

MIXED = 0.5  # of the spread between deliveries: how far the pieces on top may stand for those below them
_DECADES = math.log(1e4)  # numbers and weights over four decades, each decade as likely as another
_ODD_PUT = 0.0002  # share of movements that are no whole number of pieces: a foreign thing, half a piece
_ODD_TAKEN = 0.00005  # a foreign thing can be taken only where one was put
HABITS = (0.5, 0.35, 0.15)  # of whom takes: from the oldest lot, from any, from the newest
OLDEST, ANY, _NEWEST = range(len(HABITS))
_MAX_NUMBERS = 61  # looked at for one movement; beyond it nothing safe could be said anyway
_FAR = 4.5  # standard deviations within which a number is looked at
MIN_PROBABILITY = 3e-4
_THINKABLE = 3.0  # times as much, or as little, as usual


@dataclass(frozen=True, slots=True)
class PieceModel:
    """The weight of one piece, as learnt so far."""

    mean_g: float
    u_mean_g: float  # standard uncertainty of the mean
    sd_g: float  # from piece to piece


@dataclass(frozen=True, slots=True)
class PieceLot:
    """Pieces of one delivery that are still there."""

    units: float  # expected; several lots share a whole number
    mean_g: float  # of these very pieces
    u_mean_g: float
    mixed_rel2: float = 0.0  # variance / mean^2 between the deliveries that this is made of
    is_taught: bool = False  # the product's mean has learnt from it

    def __post_init__(self) -> None:
        """No more digits than mean something: every event writes them to a card."""
        object.__setattr__(self, "units", round(self.units, 4))
        object.__setattr__(self, "mean_g", round(self.mean_g, 5))
        object.__setattr__(self, "u_mean_g", max(round(self.u_mean_g, 6), 1e-6))
        object.__setattr__(self, "mixed_rel2", round(self.mixed_rel2, 9))


@dataclass(frozen=True, slots=True)
class Guess:
    units: int
    probability: float
    lots: tuple[PieceLot, ...] = ()  # oldest first
    foreign_g: float = 0.0  # of a thing that is no piece and lies among them
    habit: int | None = None  # where those who take do take from; None: there is one lot

    def __post_init__(self) -> None:
        object.__setattr__(self, "probability", round(self.probability, 7))
        object.__setattr__(self, "foreign_g", round(self.foreign_g, 3))
        object.__setattr__(self, "lots", tuple(_made(PieceLot, lot) for lot in self.lots))


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is believed about one shelf. Lists and dicts of its JSON are taken as well."""

    guesses: tuple[Guess, ...] = ()  # most likely first; what is missing to 1: any other number; (): nobody knows
    model: PieceModel | None = None  # of the product, over deliveries; None: by grams, or not learnt yet
    there: PieceModel | None = None  # of the pieces that lie there, while their number is not known
    spreads: tuple[tuple[float, float], ...] = ()  # (standard deviation of pieces / mean, probability)
    betweens: tuple[tuple[float, float], ...] = ()  # (standard deviation of deliveries / mean, probability)
    means: tuple[tuple[float, float], ...] = ()  # (mean_g, its uncertainty) under each of these; (): of the model
    habits: tuple[float, ...] = HABITS  # probability of each, as learnt here
    by_grams: bool = False  # catch weight: never counted
    gtin: str | None = None  # of the product all this was learnt from

    def __post_init__(self) -> None:
        object.__setattr__(self, "guesses", tuple(_made(Guess, guess) for guess in self.guesses))
        object.__setattr__(self, "model", None if self.model is None else _made(PieceModel, self.model))
        object.__setattr__(self, "there", None if self.there is None else _made(PieceModel, self.there))
        object.__setattr__(self, "spreads", tuple((float(a), round(b, 7)) for a, b in self.spreads))
        object.__setattr__(self, "betweens", tuple((float(a), round(b, 7)) for a, b in self.betweens))
        object.__setattr__(self, "means", tuple((round(a, 5), max(round(b, 6), 1e-6)) for a, b in self.means))
        object.__setattr__(self, "habits", tuple(round(share, 6) for share in self.habits))

    @property
    def odds(self) -> tuple[tuple[int, float], ...]:
        """(units, probability), most likely first; (): nobody knows."""
        sums: dict[int, float] = {}
        for guess in self.guesses:
            sums[guess.units] = sums.get(guess.units, 0.0) + guess.probability
        return tuple(sorted(sums.items(), key=lambda item: -item[1]))


def unlisted_share(pieces: Pieces) -> float:
    """Probability that the number is none of the guesses: something odd happened once, and no movement since can
    tell; but a weight near a whole number of pieces can: see ``_trusted``."""
    return max(0.0, 1 - sum(guess.probability for guess in pieces.guesses))


def thinkable_numbers(size_g: float, u_g: float, mean_g: float, u_mean_g: float, sd_g: float) -> range:
    """The numbers of pieces that may weigh ``size_g``."""
    middle = max(0.0, size_g / mean_g)
    far = _FAR * math.sqrt(u_g**2 + middle * sd_g**2 + (middle * u_mean_g) ** 2) / mean_g
    far = min(far, _MAX_NUMBERS / 2)
    return range(max(0, math.floor(middle - far)), math.ceil(middle + far) + 1)


def prior_of(k: int) -> float:
    return 1 / (max(k, 1) * _DECADES)


def normal_density(off2: float, variance: float) -> float:
    return math.exp(-0.5 * off2 / variance) / math.sqrt(2 * math.pi * variance)


def odd_density(delta_g: float, mean_g: float) -> float:
    """Density of a movement that is no whole number of pieces: every decade of weight as likely as another."""
    share = _ODD_PUT if delta_g >= 0 else _ODD_TAKEN
    return share / (max(abs(delta_g), 0.05 * mean_g) * _DECADES)


def bounded(mean_g: float, usual_g: float) -> float:
    """Within what pieces of a product can weigh, whatever a scale or a person says."""
    return min(max(mean_g, usual_g / _THINKABLE), usual_g * _THINKABLE)


def mixed_lots(lots: Sequence[PieceLot]) -> tuple[float, float, float]:
    """Mean, its uncertainty, and the variance between lots / mean^2."""
    n = sum(lot.units for lot in lots)
    mean_g = sum(lot.units * lot.mean_g for lot in lots) / n
    u_g = math.sqrt(sum((lot.units * lot.u_mean_g) ** 2 for lot in lots)) / n
    between = sum(lot.units * ((lot.mean_g - mean_g) ** 2 / mean_g**2 + lot.mixed_rel2) for lot in lots) / n
    return mean_g, u_g, between


def lying_there(pieces: Pieces, model: PieceModel) -> PieceModel:
    """The pieces that lie there, for those who do not trust the guesses."""
    if not pieces.guesses:
        return pieces.there or never_weighed(pieces, model)
    lots = pieces.guesses[0].lots
    if not lots:
        return never_weighed(pieces, model)
    mean_g, u_mean_g, _ = mixed_lots(lots)
    return PieceModel(mean_g, max(u_mean_g, MIXED * rms(pieces.betweens) * mean_g), model.sd_g)


def never_weighed(pieces: Pieces, model: PieceModel) -> PieceModel:
    """Pieces that were there before anybody weighed one: of any delivery."""
    between_g = rms(pieces.betweens) * model.mean_g
    return replace(model, u_mean_g=math.hypot(model.u_mean_g, between_g))


def means_of(pieces: Pieces, model: PieceModel) -> Sequence[tuple[float, float]]:
    """The product's mean and its uncertainty, under each spread between deliveries: a delivery says much about the
    mean where deliveries are alike, and little where they are not."""
    if len(pieces.means) == len(pieces.betweens):
        return pieces.means
    return ((model.mean_g, model.u_mean_g),) * len(pieces.betweens)


def mean2(grid: Sequence[tuple[float, float]]) -> float:
    return sum(p * value**2 for value, p in grid)


def rms(grid: Sequence[tuple[float, float]]) -> float:
    return math.sqrt(mean2(grid))


def typical(grid: Sequence[tuple[float, float]]) -> float:
    """Geometric mean."""
    return math.exp(sum(p * math.log(value) for value, p in grid))


def _made(kind: Any, value: Any) -> Any:
    return kind(**value) if isinstance(value, Mapping) else value
