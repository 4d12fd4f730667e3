"""Was that the end of the movement? What hands, elbows and floors do, as rules; pure.

Goods stay where they were put. An elbow does not: it is a part of a body's weight that is never quite still, shifts
within a second by a part of itself, holds still by chance for a few seconds, and is no whole number of pieces but by
chance. So rest is proved by time: at once where no elbow could be so still, later where it could.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.weighing import events, spikes, stability
from edge_agent.weighing.pieces import PieceModel
from edge_agent.weighing.plateau import Plateau
from edge_agent.weighing.trace import Look, Moving

QUICK_S, HAND_S = 0.3, 3.5  # of unrest: a clean step, a hand
# Times stable_s. An elbow is still for 2.4 s now and then, hardly ever for 5 s; a light one on a noisy scale for 7 s.
PROOF, LONG_PROOF, ODD_PROOF = 1.2, 2.0, 5.0
ELBOW = 0.2  # of an elbow's weight: how much it shifts within a second
LIGHTEST_G = 500.0  # of an elbow: a forearm weighs 1 to 1.5 kg
HIDDEN = 8.0  # noises: what shifts by less may pass for rest; by more, not once in hundreds of leans
# Standard deviations from a whole number of pieces: one true movement in 2000, and one in 20, is farther away.
FIT, CLOSE_FIT = 3.5, 2.0
SPARSE_REST = 0.1  # of the smallest step: as good as rest on a sparse trace
HARMLESS = 0.05  # of a piece: scales whose noise is as large count as well
SHAKING = 5e-4  # of the load: the acceleration of a floor, in g, when a compressor runs or a lorry passes
STEADY_LOOKS = 6  # on sparse traces: thirds of two
LONGEST_MOVEMENT_S = 60.0  # of which the looks are kept; what goes on for longer is no hand

Rests = Callable[[Sequence[float], float], bool]


@dataclass(frozen=True, slots=True)
class Before:
    """The shelf as it last rested."""

    model: PieceModel | None  # of a piece
    piece_g: float | None  # as the product says where there is no model
    noise_g: float | None  # standard deviation of one look, learnt; None: not yet
    level_u_g: float
    least_step_g: float
    stable_g: float  # unrest that passes for rest while the noise is not learnt
    capacity_g: float
    stable_ms: int  # how long rest must last
    interval_s: float  # between two looks


class Held(StrEnum):
    """What a gain that somebody went on from was."""

    GOODS = "goods"
    ELBOW = "elbow"
    OPEN = "open"  # nothing says yet


# --- rest: by time, and by the noise the scale has ---------------------------------------------------------------


def rested(before: Before, looks: Sequence[Look], rests: Rests) -> Sequence[Look]:
    """The looks that prove rest, or none. What rings and swings dies out within a second or two: ``stable_s``; what
    the floor shakes goes on, in one place, and is asked for twice as long."""
    ms = looks[-1][0]
    tail = since(looks, ms - before.stable_ms)
    if tail is None:
        return ()
    noise_g = before.noise_g
    if noise_g is None:
        steady_g = max(before.stable_g, (before.piece_g or 0.0) / 4, 1e-3 * before.capacity_g)
    else:
        if before.interval_s > spikes.SPARSE_S:  # minutes between looks: wind and bees move it meanwhile
            noise_g = max(noise_g, SPARSE_REST * before.least_step_g)
        if rests([gross_g for _, gross_g in tail], max(noise_g, _harmless_g(before, looks[-1]))):
            return tail
        steady_g = _unrest_g(before, noise_g, looks)
    longer = since(looks, ms - max(2 * before.stable_ms, round(1000 * STEADY_LOOKS * before.interval_s)))
    if longer is not None and stability.is_steady([gross_g for _, gross_g in longer], steady_g):
        return longer
    return ()


def lasted(before: Before, looks: Sequence[Look], now: Plateau, proof: float, rests: Rests) -> Sequence[Look]:
    """The looks of a rest of ``proof`` times ``stable_s``, or none."""
    longer = since(looks, looks[-1][0] - round(proof * before.stable_ms))
    if longer is None:
        return ()
    values = [gross_g for _, gross_g in longer]
    noise_g = max(before.noise_g or 0.0, _harmless_g(before, looks[-1]))
    if rests(values, noise_g):
        return longer
    # The floor shakes: then rest was proved by `is_steady`, and its unrest is what goes on.
    is_shaken = now.noise_g > noise_g and now.until_ms - now.from_ms > 1.5 * before.stable_ms
    return longer if is_shaken and rests(values, now.noise_g) else ()


def _harmless_g(before: Before, last: Look) -> float:
    """What the floor may shake, where that is far below a piece: nobody waits for the compressor."""
    return min(SHAKING * abs(last[1]), HARMLESS * (before.piece_g or 0.0))


def _unrest_g(before: Before, noise_g: float, looks: Sequence[Look]) -> float:
    """How much more than its noise a scale may show and still be at rest: the floor shakes it. After a minute any
    unrest that stays is taken for a new noise."""
    if looks[-1][0] - looks[0][0] >= 1000 * LONGEST_MOVEMENT_S:
        return max(6 * noise_g, before.stable_g, 1e-3 * before.capacity_g)
    shaken_g = max(SHAKING * abs(looks[-1][1]), before.stable_g if noise_g < before.stable_g / 3 else 0.0)
    return 1.5 * math.hypot(noise_g, shaken_g) if shaken_g > noise_g else 0.0


# --- elbows and goods --------------------------------------------------------------------------------------------


def asked_of(
    before: Before, moving: Moving, now: Plateau, tail: Sequence[Look], reference_g: float | None, reference_u_g: float
) -> float:
    """How often ``stable_s`` rest must last: longer where somebody may not be done. That is after what is no whole
    number of pieces, and after a restless gain, for an elbow presses down and holds still now and then."""
    from_g = moving.from_g if reference_g is None else reference_g
    gain_g = now.gross_g - from_g
    began_ms = moving.looks[0][0]
    if not moving.is_seen or tail[-1][0] - began_ms >= 1000 * LONGEST_MOVEMENT_S:
        return 1.0
    told_g = events.SURE * math.hypot(now.u_g, reference_u_g)
    if abs(gain_g) <= max(before.least_step_g, told_g):
        return 1.0
    piece_g = before.piece_g or math.inf
    is_part = piece_g < math.inf and abs(gain_g) < piece_g / 2
    if is_part or not fits(before, now, from_g, before.level_u_g):
        return ODD_PROOF if is_hidden(before, pressing_g(gain_g, piece_g)) else LONG_PROOF
    if gain_g < 0:
        return 1.0
    unrest_ms = tail[0][0] - began_ms
    is_quick = unrest_ms <= 1000 * QUICK_S
    # After more unrest than a hand makes somebody may lean on goods that came, with any weight.
    if is_hidden(before, gain_g if unrest_ms <= 1000 * HAND_S else LIGHTEST_G):
        return PROOF if is_quick else LONG_PROOF
    return 1.0 if is_quick or not is_hidden(before, gain_g / 2) else PROOF


def is_candidate(before: Before, now: Plateau, from_g: float) -> bool:
    """Goods, if somebody goes on from there: whole pieces, or a rest that no elbow could feign."""
    if before.model is None:
        return not is_hidden(before, abs(now.gross_g - from_g))
    return fits(before, now, from_g, before.level_u_g)


def decided(before: Before, moving: Moving, held: Plateau, now: Plateau) -> Held:
    """Somebody went on before ``held`` was proved. Back to where it was: an elbow. On by whole pieces: goods, and
    goods again; if more went than came, it must look like two hands. Anything else says nothing of it yet."""
    piece_g = before.piece_g
    apart_g = max(before.least_step_g if piece_g is None else piece_g / 2, events.SURE * math.hypot(now.u_g, held.u_g))
    looks = leaving(held, moving.looks, before.noise_g)
    unrest_ms = max(held.from_ms - moving.looks[0][0], now.from_ms - looks[0][0])
    left_g, sure = now.gross_g - moving.from_g, FIT
    if left_g < 0:
        sure = CLOSE_FIT if unrest_ms <= 1000 * HAND_S else 0.0
    came = fits(before, held, moving.from_g, before.level_u_g, sure)
    is_whole = came and fits(before, now, held.gross_g, held.u_g, sure)
    if abs(left_g) < apart_g or (left_g < 0 and not is_whole):
        return Held.ELBOW
    return Held.GOODS if is_whole and abs(now.gross_g - held.gross_g) >= apart_g else Held.OPEN


def is_outgrown(before: Before, moving: Moving, held: Plateau) -> bool:
    """More has come on top for longer than a hand presses, by more than an elbow shifts: then it was none, and
    nobody has to wait for the end of the queue to hear of it."""
    latest = since(moving.looks, moving.looks[-1][0] - round(1000 * HAND_S))
    more_g = max((before.piece_g or math.inf) / 2, 2 * ELBOW * (held.gross_g - moving.from_g))
    return latest is not None and min(gross_g for _, gross_g in latest) > held.gross_g + more_g


def is_hidden(before: Before, elbow_g: float) -> bool:
    """An elbow of such a weight may pass for rest on so noisy a scale: it shifts by less than the noise hides."""
    return elbow_g >= LIGHTEST_G and ELBOW * elbow_g < HIDDEN * (before.noise_g or 0.0)


def fits(before: Before, now: Plateau, from_g: float, from_u_g: float, sure: float = FIT) -> bool:
    """Whole pieces came or went, as far as that can be told: an elbow weighs that by chance alone."""
    return events.fits(before.model, now.gross_g - from_g, math.hypot(now.u_g, from_u_g), sure=sure)


def pressing_g(gain_g: float, piece_g: float) -> float:
    """The lightest elbow that explains a gain, or a loss beneath it, that is no whole number of pieces.

    >>> pressing_g(1200.0, 1000.0), pressing_g(-300.0, 1000.0), pressing_g(40.0, 300.0)
    (1200.0, 700.0, 640.0)
    """
    if piece_g == math.inf:
        return abs(gain_g)
    return LIGHTEST_G + (gain_g - LIGHTEST_G) % piece_g


# --- looks of a movement -----------------------------------------------------------------------------------------


def leaving(held: Plateau, looks: Sequence[Look], noise_g: float | None) -> tuple[Look, ...]:
    """The looks after a plateau, from the first that left it."""
    far_g = stability.UNREST * (noise_g or 0.0)
    after = tuple(look for look in looks if look[0] > held.until_ms)
    apart = (i for i, (_, gross_g) in enumerate(after) if abs(gross_g - held.gross_g) > far_g)
    return after[next(apart, 0) :]


def since(looks: Sequence[Look], from_ms: int) -> Sequence[Look] | None:
    """The looks from then on; None when they do not reach back so far.

    >>> since([(100, 1.0), (200, 2.0), (300, 3.0)], 150), since([(100, 1.0)], 50)
    ([(200, 2.0), (300, 3.0)], None)
    """
    if not looks or looks[0][0] > from_ms:
        return None
    first = len(looks) - 1
    while first > 0 and looks[first - 1][0] >= from_ms:
        first -= 1
    return looks[first:]
