"""What the scale shows is the goods and the scale's own offset; only their sum is seen.

A Kalman filter of three values: net, offset, and how fast the offset drifts; measured is net + offset. At rest nobody
moves goods, so what changes is the scale's; by a movement the offset is not changed, so what changes is the goods'.
Noise is shared as the variances say, and so the small errors of many movements do not add up.
"""

import math
from dataclasses import dataclass, replace

from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import ShelfSettings

NO_NOISE = 4.0  # standard deviations: a difference beyond them is no error of the last plateaus
RATE_S = 7200.0  # a rate is forgotten in that time: doors, defrosts and the sun change it
USUAL = 0.25  # of the limit per hour: the standard deviation of a scale's rate
# The filter believes its own model of drift; on simulated shelves, which drift by temperature as well, its errors were
# up to this many times as large as it thought.
DOUBT = 2.5
MOST = 2.0  # times the limit: no rate is carried on faster

Spread = tuple[float, float, float, float, float, float]  # covariances nn, oo, rr, no, nr, or
NONE: Spread = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Estimate:
    net_g: float
    offset_g: float  # tare, drift, creep
    rate_g_per_s: float = 0.0  # of the offset, creep apart
    spread: Spread = NONE

    @property
    def gross_g(self) -> float:
        """What the scale should show."""
        return self.net_g + self.offset_g

    @property
    def gross_u_g(self) -> float:
        nn, oo, _, no, _, _ = self.spread
        return math.sqrt(max(0.0, nn + oo + 2 * no))

    @property
    def net_u_g(self) -> float:
        return DOUBT * math.sqrt(max(0.0, self.spread[0]))


def of(state: ScaleState) -> Estimate:
    """While the container is away, what lies on the platform is its loss."""
    net_g = (state.net_g or 0.0) - (state.away_g or 0.0)
    spread = _spread(state)
    return Estimate(net_g, (state.reference_g or 0.0) - net_g, state.rate_g_per_s, spread)


def _spread(state: ScaleState) -> Spread:
    if not state.spread:
        return (state.u_g**2, 0.0, 0.0, 0.0, 0.0, 0.0)
    nn, oo, rr, no, nr, cross = state.spread
    return nn, oo, rr, no, nr, cross


def put(state: ScaleState, estimate: Estimate) -> ScaleState:
    return replace(
        state,
        net_g=estimate.net_g + (state.away_g or 0.0),
        u_g=estimate.net_u_g,
        reference_g=estimate.gross_g,
        reference_u_g=estimate.gross_u_g,
        rate_g_per_s=estimate.rate_g_per_s,
        spread=estimate.spread,
    )


def begun(gross_g: float, tare_g: float, u_g: float, zero_u_g: float, shelf: ShelfSettings) -> Estimate:
    """The first look: the offset is the tare, as well as the empty scale shows zero."""
    oo = zero_u_g**2
    return Estimate(gross_g - tare_g, tare_g, 0.0, (u_g**2 + oo, oo, usual_g_per_s(shelf) ** 2, -oo, 0.0, 0.0))


def usual_g_per_s(shelf: ShelfSettings) -> float:
    return USUAL * shelf.drift_limit_g_per_h / 3600


def ahead(estimate: Estimate, seconds: float, shelf: ShelfSettings) -> Estimate:
    """Time passed: the offset went on at its rate, and the rate itself wandered."""
    nn, oo, rr, no, nr, cross = estimate.spread
    keep = math.exp(-seconds / RATE_S)
    wander = usual_g_per_s(shelf) ** 2 * (1 - keep * keep)
    return replace(
        estimate,
        offset_g=estimate.offset_g + estimate.rate_g_per_s * seconds,
        rate_g_per_s=estimate.rate_g_per_s * keep,
        spread=(
            nn,
            oo + 2 * seconds * cross + seconds**2 * (rr + wander / 3),
            keep * keep * rr + wander,
            no + seconds * nr,
            keep * nr,
            keep * (cross + seconds * rr) + seconds * wander / 2,
        ),
    )


def null_ahead(estimate: Estimate, seconds: float, shelf: ShelfSettings) -> Estimate:
    """The scale stands still while nobody looks, as far as anybody knows."""
    nn, oo, rr, no, nr, cross = estimate.spread
    return replace(estimate, spread=(nn, oo + (usual_g_per_s(shelf) * seconds) ** 2, rr, no, nr, cross))


def by_itself(estimate: Estimate, moved_g: float, u_g: float) -> Estimate:
    """The offset changed by something that is known: creep; or not known: an outage."""
    nn, oo, rr, no, nr, cross = estimate.spread
    return replace(estimate, offset_g=estimate.offset_g + moved_g, spread=(nn, oo + u_g**2, rr, no, nr, cross))


def unsure(estimate: Estimate, u_g: float) -> Estimate:
    """Touched: by so much the goods may have changed without anybody being able to say so."""
    nn, oo, rr, no, nr, cross = estimate.spread
    return replace(estimate, spread=(nn + u_g**2, oo, rr, no, nr, cross))


def taken_over(estimate: Estimate, u_g: float) -> Estimate:
    """What was taken for the scale's is said to be the goods', with that much doubt: the sum stays as it is."""
    nn, oo, rr, no, nr, cross = estimate.spread
    return replace(estimate, spread=(nn + u_g**2, oo + u_g**2, rr, no - u_g**2, nr, cross))


def moved(estimate: Estimate, gross_g: float, u_g: float) -> Estimate:
    """Goods came or went, nobody knows how many: whatever is not the offset is goods.

    >>> moved(Estimate(100.0, 5.0, spread=(1.0, 0.09, 0.0, 0.0, 0.0, 0.0)), 255.0, 0.4)
    Estimate(net_g=250.0, offset_g=5.0, rate_g_per_s=0.0, spread=(0.25, 0.09, 0.0, -0.09, -0.0, 0.0))
    """
    _, oo, rr, _, _, cross = estimate.spread
    return replace(
        estimate, net_g=gross_g - estimate.offset_g, spread=(oo + u_g**2, oo, rr, -oo, -cross, cross)
    )  # fmt: skip


def seen(estimate: Estimate, gross_g: float, u_g: float, shelf: ShelfSettings, *, is_frozen: bool = False) -> Estimate:
    """The scale at rest shows ``gross_g``. ``is_frozen``: the offset must not follow now.

    A difference beyond all noise is the scale's alone: nobody touched the goods.
    """
    nn, oo, rr, no, nr, cross = estimate.spread
    off_g = gross_g - estimate.gross_g
    variance = nn + oo + 2 * no + u_g**2
    if variance <= 0:
        return estimate
    if off_g**2 > NO_NOISE**2 * variance:
        if is_frozen:
            return estimate
        spread = (nn, oo, max(rr, usual_g_per_s(shelf) ** 2), no, nr, cross)
        return replace(estimate, offset_g=estimate.offset_g + off_g, spread=spread)
    gains = [(nn + no) / variance, (oo + no) / variance, (nr + cross) / variance]
    if is_frozen:
        gains[1:] = (0.0, 0.0)
    most = MOST * shelf.drift_limit_g_per_h / 3600
    return Estimate(
        estimate.net_g + gains[0] * off_g,
        estimate.offset_g + gains[1] * off_g,
        min(most, max(-most, estimate.rate_g_per_s + gains[2] * off_g)),
        _after(estimate.spread, gains, u_g**2),
    )


def _after(spread: Spread, gains: list[float], r: float) -> Spread:
    """(I - K H) P (I - K H)^T + K R K^T, H = (1, 1, 0): Joseph's form, right for any gain, also a frozen one."""
    nn, oo, rr, no, nr, cross = spread
    p = ((nn, no, nr), (no, oo, cross), (nr, cross, rr))
    seen_row = [p[0][j] + p[1][j] for j in range(3)]  # H P
    variance = seen_row[0] + seen_row[1] + r

    def at(i: int, j: int) -> float:
        return p[i][j] - gains[i] * seen_row[j] - gains[j] * seen_row[i] + gains[i] * gains[j] * variance

    return (at(0, 0), at(1, 1), at(2, 2), at(0, 1), at(0, 2), at(1, 2))
