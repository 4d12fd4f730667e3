"""How many pieces lie on a shelf, and how sure that is.

A belief over whole numbers: a few guesses, each a number of pieces, its probability and the lots it is made of. A
movement of some grams splits every guess into the numbers that may have moved; what does not fit dies out, and what
can be told apart only later is told apart later, by the weight of the pieces taken then. What fits no whole number
(a foreign thing, half a piece) is a hypothesis of its own, so that nothing is forced onto a number.

Variance of k pieces on two plateaus: u_g^2 + k sd^2 + k^2 u_mean^2. Span errors of the scale are alike on both
plateaus and proportional to the weight, so they are in u_mean: the mean is learnt with that very scale.
"""

import math
from dataclasses import dataclass, replace

from edge_agent.domain.product import Product
from edge_agent.domain.stock import SAFE_CONFIDENCE
from edge_agent.weighing.belief import (
    MIN_PROBABILITY,
    Guess,
    PieceLot,
    PieceModel,
    Pieces,
    bounded,
    mixed_lots,
    never_weighed,
    normal_density,
    odd_density,
    prior_of,
    rms,
    thinkable_numbers,
    unlisted_share,
)
from edge_agent.weighing.piece_learning import (
    SURE_ENOUGH_TO_LEARN,
    deliveries_learnt,
    learnt_first,
    newest_known,
    spreads_learnt,
    taught,
    there_learnt,
)
from edge_agent.weighing.piece_lots import foreign_among, guessed, lighter, likeliest, unknown
from edge_agent.weighing.piece_ways import branches_of, odd_branches, of_unlisted, tempered

__all__ = [
    "Found",
    "Guess",
    "Moved",
    "PieceLot",
    "PieceModel",
    "Pieces",
    "counted",
    "found_by_count",
    "lost",
    "moved",
    "of_product",
    "started",
    "units_of",
    "unknown",
    "weighed",
]


_U_CONFIGURED = 0.02  # of piece_g: somebody weighed a few, or read it off a crate
_MODEL_ERROR = 0.01  # of what only the model of lots tells: it is that often wrong
_LEAST_PIECE_G = 0.1
_DOUBTFUL = 4.0  # standard deviations of what a piece may weigh


@dataclass(frozen=True, slots=True)
class Moved:
    pieces: Pieces
    delta_units: int | None  # the likeliest number; None: by grams, or no whole number fits
    confidence: float  # that it is this number; 1.0 where nobody counts


def started(product: Product | None) -> Pieces:
    """Before anything was weighed: what the configuration says of a piece."""
    gtin = product.gtin if product is not None else None
    if product is None or product.is_catch_weight or product.piece_g is None:
        return Pieces(gtin=gtin, by_grams=product is not None and product.is_catch_weight)
    return learnt_first(Pieces(gtin=gtin), product.piece_g, _U_CONFIGURED * product.piece_g, product.piece_sd_g)


def of_product(pieces: Pieces, product: Product | None) -> Pieces:
    """What is believed, if it is of this product; else anew."""
    if product is None or product.gtin == pieces.gtin:
        return pieces
    return started(product)


def moved(pieces: Pieces, delta_g: float, u_g: float, product: Product | None) -> Moved:
    """After a movement of ``delta_g`` with standard uncertainty ``u_g`` of both plateaus together.

    Prior of the number k: 1/k, that is every decade as likely as another. It is the weakest that still prefers
    small numbers; neighbours differ by a factor of (k+1)/k only, so that the weight decides and not the habit.
    """
    pieces = of_product(pieces, product)
    model = pieces.model
    if model is None:
        return Moved(unknown(pieces), None, 1.0)
    u_g = max(u_g, 1e-6)
    branches = tempered(pieces, list(branches_of(pieces, model, delta_g, u_g)), delta_g)
    odd = list(odd_branches(pieces, model, delta_g, u_g))
    total = sum(branch.weight for branch in branches) + sum(branch.weight for branch in odd)
    numbers: dict[int | None, float] = {None: 0.0}  # None: no whole number
    for k, weight in [*((b.k, b.weight) for b in branches), *((o.k, o.weight) for o in odd)]:
        numbers[k] = numbers.get(k, 0.0) + weight / total
    best = max(numbers, key=lambda k: numbers[k])
    learnt = deliveries_learnt(spreads_learnt(pieces, branches, total), model, branches, total, delta_g, u_g)
    if best and not pieces.guesses and numbers[best] >= SURE_ENOUGH_TO_LEARN:
        learnt = replace(learnt, there=there_learnt(learnt, model, best, delta_g, u_g))
    of_all = total + of_unlisted(pieces, branches, odd)
    guesses = guessed(learnt, model, branches, of_all, delta_g, u_g) + foreign_among(learnt, odd, of_all, delta_g)
    # Where nothing fits, the confidence is that of the number which fits least badly.
    confidence = numbers[best] if best is not None else max((p for k, p in numbers.items() if k is not None), default=0)
    sure = confidence if delta_g > 0 else 1.0
    if best and best > 0 and confidence >= SURE_ENOUGH_TO_LEARN:
        guesses = [newest_known(guess, best) for guess in guesses]
    return Moved(taught(_trusted(_doubted(likeliest(learnt, guesses), sure))), best, min(1.0, confidence))


def counted(pieces: Pieces, units: int, net_g: float, u_g: float) -> Pieces:
    """A person counted ``units`` while ``net_g`` lay there: certain, and it teaches the weight of a piece."""
    if pieces.by_grams:
        return pieces
    if units == 0:
        return replace(pieces, guesses=(Guess(0, 1.0),), there=None)
    mean_g = net_g / units
    if pieces.model is None and mean_g >= _LEAST_PIECE_G:
        pieces = learnt_first(pieces, mean_g, max(u_g / units, _U_CONFIGURED * mean_g), None)
    lots = _lots_counted(pieces, units, net_g, u_g)
    return taught(replace(pieces, guesses=(Guess(units, 1.0, lots),), there=None))


def _lots_counted(pieces: Pieces, units: int, net_g: float, u_g: float) -> tuple[PieceLot, ...]:
    """Those of the guess that was right, at the weight they have; else one lot."""
    if pieces.model is None:
        return ()
    usual = never_weighed(pieces, pieces.model)
    if bounded(net_g / units, usual.mean_g) != net_g / units:  # they weigh what no such pieces weigh
        return (PieceLot(float(units), usual.mean_g, usual.u_mean_g, is_taught=True),)
    lots = next((guess.lots for guess in pieces.guesses if guess.units == units), ())
    of_g = sum(lot.units * lot.mean_g for lot in lots)
    if of_g > 0:
        return tuple(replace(lot, mean_g=bounded(lot.mean_g * net_g / of_g, usual.mean_g)) for lot in lots)
    return (PieceLot(float(units), net_g / units, u_g / units),)


@dataclass(frozen=True, slots=True)
class Found:
    """What a count says of the book."""

    book_units: int | None  # the likeliest number before it; None: nobody knew
    piece_g: float | None  # of one piece, by this count
    words: str


def found_by_count(pieces: Pieces, units: int, net_g: float, u_g: float) -> Found:
    """How far the book was off, and whether the count itself is to be believed."""
    book, confidence = next(iter(pieces.odds), (None, 0.0))
    piece_g = net_g / units if units else None
    words = ["the book had no number" if book is None else f"the book said {book} ({confidence:.3f})"]
    model = pieces.model
    if model is not None and piece_g is not None:
        apart_g = rms(pieces.spreads) * model.mean_g / math.sqrt(units)
        u_piece_g = math.hypot(never_weighed(pieces, model).u_mean_g, apart_g, u_g / units)
        if abs(piece_g - model.mean_g) > _DOUBTFUL * u_piece_g:
            words.append(
                f"a piece would weigh {piece_g:.4g} g, {model.mean_g:.4g} g was learnt: is it the right count?"
            )
    return Found(book, piece_g, "; ".join(words))


def weighed(pieces: Pieces, net_g: float, u_g: float) -> Pieces:
    """All that lies there, as evidence of its number while nobody knows it; else nothing new: it is the sum of
    what moved, and that was used.

    Variance of N pieces: u_g^2 + N sd^2 + N^2 u_mean^2. So it is safe for small numbers only, and for an empty shelf.
    """
    model = pieces.model
    if pieces.guesses or model is None or pieces.by_grams:
        return pieces
    there = pieces.there or never_weighed(pieces, model)
    guesses = _by_weight(pieces, there, net_g, max(u_g, 1e-6))
    return taught(likeliest(pieces, guesses))


def lost(pieces: Pieces, delta_g: float) -> Pieces:
    """The pieces became lighter (they dry) or the scale was corrected: the same number, another weight."""
    model = pieces.model
    if model is None:
        return pieces
    return replace(pieces, guesses=tuple(lighter(guess, delta_g, model.mean_g) for guess in pieces.guesses))


def units_of(pieces: Pieces) -> tuple[int | None, float]:
    """The number where it is safe, else None (ambiguous); and the confidence in the likeliest number."""
    units, confidence = next(iter(pieces.odds), (None, 0.0))
    return (units if confidence >= SAFE_CONFIDENCE else None), confidence


def _by_weight(pieces: Pieces, there: PieceModel, net_g: float, u_g: float) -> list[Guess]:
    """What the absolute weight alone says, when a piece is like ``there``."""
    found: list[tuple[float, int]] = []
    for n in thinkable_numbers(net_g, u_g, there.mean_g, there.u_mean_g, rms(pieces.spreads) * there.mean_g):
        off_g2, fixed_g2 = (net_g - n * there.mean_g) ** 2, u_g**2 + (n * there.u_mean_g) ** 2
        density = sum(p * normal_density(off_g2, fixed_g2 + n * (rel * there.mean_g) ** 2) for rel, p in pieces.spreads)
        found.append((density * prior_of(n), n))
    total = sum(weight for weight, _ in found) + odd_density(max(net_g, 0.0), there.mean_g)
    return [
        Guess(n, weight / total, (PieceLot(float(n), bounded(net_g / n, there.mean_g), u_g / n),) if n else ())
        for weight, n in found
        if weight / total > MIN_PROBABILITY
    ]


def _doubted(pieces: Pieces, confidence: float) -> Pieces:
    """What a delivery leaves open is told by the weight of later picks, and so by a model of lots and habits; a count,
    an empty shelf or few pieces need none."""
    share = 1 - _MODEL_ERROR * (1 - min(1.0, confidence))
    return replace(pieces, guesses=tuple(replace(g, probability=g.probability * share) for g in pieces.guesses))


def _trusted(pieces: Pieces) -> Pieces:
    """The guesses are at least as sure as the absolute weight alone, where it says the same number."""
    unlisted, model = unlisted_share(pieces), pieces.model
    if not pieces.guesses or model is None or unlisted < MIN_PROBABILITY or pieces.guesses[0].foreign_g:
        return pieces
    lots = pieces.guesses[0].lots
    net_g, u_net_g = 0.0, 0.05 * model.mean_g
    if lots:
        mean_g, u_mean_g, _ = mixed_lots(lots)
        n = sum(lot.units for lot in lots)
        net_g, u_net_g = n * mean_g, n * u_mean_g
    likeliest_units = pieces.odds[0][0]
    by_weight = _by_weight(pieces, never_weighed(pieces, model), net_g, u_net_g)
    sure = sum(guess.probability for guess in by_weight if guess.units == likeliest_units)
    if sure <= 1 - unlisted:
        return pieces
    more = sure / (1 - unlisted)
    return replace(pieces, guesses=tuple(replace(g, probability=g.probability * more) for g in pieces.guesses))
