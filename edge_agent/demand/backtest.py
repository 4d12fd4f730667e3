"""Rolling origins: forecasts made again as if each origin were today, and judged by the days after it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.experts import EXPERTS, HISTORY_D, ExpertForecast, forecasts, histories
from edge_agent.demand.panel import Panel
from edge_agent.demand.scoring import DECILES, Loss, Ratio, Score, Truth, loss, ratios, score, truth
from edge_agent.demand.weather import Weather, as_known
from edge_agent.domain.forecast import LEVELS

Floats = NDArray[np.float64]

OURS = "ours"
EARLIEST = 60  # columns before the first origin
_DECILES = np.array([LEVELS.index(level) for level in DECILES])
_MEDIAN = LEVELS.index(0.5)


@dataclass(frozen=True, eq=False)
class Made:
    """Forecasts of one origin: quantiles at LEVELS, [series, horizon, levels]; what each series' rests on, and why."""

    quantiles: Floats
    basis: Sequence[str]
    reasons: Sequence[Sequence[str]] = ()


Forecaster = Callable[[Panel, int], Made]  # of a panel that ends at its origin, and the horizon


@dataclass(frozen=True, eq=False)
class Predicted:
    point: Floats  # [series, origins, horizon]
    quantiles: Floats  # the same by DECILES


@dataclass(frozen=True, eq=False)
class Result:
    series: int  # with a day that was scored
    origins: tuple[int, ...]
    scores: Mapping[str, Score]
    ratios: Mapping[str, Ratio]  # WQL of ours over each simple method's
    basis: Mapping[str, int]  # what our forecasts that were scored rest on -> series and origins
    reasons: Mapping[str, int]
    predicted: Mapping[str, Predicted]
    truth: Truth

    @property
    def best(self) -> str:
        """The simple method with the least WQL, known only in hindsight."""
        return min((name for name in self.scores if name != OURS), key=lambda name: self.scores[name].wql)


def origins_of(days: int, count: int, step: int, horizon: int) -> tuple[int, ...]:
    """The last has its whole horizon in the table; those with fewer than EARLIEST days before them are left out.

    >>> origins_of(100, 3, 14, 7)
    (64, 78, 92)
    """
    last = days - 1 - horizon
    return tuple(origin for origin in range(last - (count - 1) * step, last + 1, step) if origin >= EARLIEST)


def backtest(
    panel: Panel,
    origins: Sequence[int],
    horizon: int,
    ours: Forecaster | None,
    weather: Weather = Weather.NOISY,
    seed: int = 0,
    hist: int = HISTORY_D,
) -> Result:
    """Without ``ours`` the simple methods alone. No forecaster sees more than `Panel.upto` its origin.

    Raises ValueError where no origin or no day can be scored.
    """
    if not origins:
        raise ValueError(f"{panel.days} days: needs {EARLIEST + 1 + horizon} or more")
    of = truth(panel, origins, horizon)
    predicted = _simple(panel, origins, horizon, hist)
    basis: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    if ours is not None:
        made = [ours(as_known(panel.upto(origin), weather, seed), horizon) for origin in origins]
        quantiles = np.stack([each.quantiles for each in made], axis=1)
        predicted = {OURS: Predicted(quantiles[..., _MEDIAN], quantiles[..., _DECILES]), **predicted}
        for place, each in enumerate(made):
            scored = np.flatnonzero(of.counts[:, place].any(axis=1)).tolist()
            basis.update(each.basis[row] for row in scored)
            reasons.update(reason for row in scored if each.reasons for reason in each.reasons[row])
    scores = {name: score(of, each.point, each.quantiles) for name, each in predicted.items()}
    losses = {name: loss(of, each.quantiles) for name, each in predicted.items()}
    series = int(of.counts.any(axis=(1, 2)).sum())
    compared = _compared(losses, seed) if ours is not None else {}
    return Result(series, tuple(origins), scores, compared, basis, reasons, predicted, of)


def _simple(panel: Panel, origins: Sequence[int], horizon: int, hist: int) -> dict[str, Predicted]:
    """A series that is too short for a method is not scored either."""
    imputed = panel.imputed()
    rows = np.arange(len(panel.names))
    each: list[dict[str, ExpertForecast]] = []
    for origin in origins:  # one by one: the memory stays that of one
        of = histories(imputed, panel.start, rows, np.full(len(rows), origin), hist)
        each.append(forecasts(of, horizon, DECILES))
    return {
        name: Predicted(
            np.stack([made[name].point for made in each], axis=1),
            np.stack([made[name].quantiles for made in each], axis=1),
        )
        for name in EXPERTS
    }


def _compared(losses: Mapping[str, Loss], seed: int) -> dict[str, Ratio]:
    others = {name: each for name, each in losses.items() if name != OURS}
    return ratios(losses[OURS], others, np.random.default_rng(seed))
