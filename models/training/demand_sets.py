"""The open sets as panels, and rows of the model drawn from them: what is trained on, what is held out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from edge_agent.demand.features import METHODS, NAMES, rows
from edge_agent.demand.panel import KNOWN, WEATHER, Panel, starts
from edge_agent.domain.forecast import LEVELS, MAX_HORIZON_D

MIN_DAYS = 28  # of history that a training row has
FORGETS = {"weather": 0.3, "plans": 0.15, "past": 0.3}  # shares of origins at which training withholds it
YEAR_COLUMNS = [NAMES.index(name) for name in ("year_sin", "year_cos", "year_sin2", "year_cos2")]
FORECAST_STD_C = (
    0.8,
    0.22,
)  # of a temperature forecast's error: a day ahead, and more for each day after (ECMWF: 1 to 4 °C)


@dataclass(frozen=True)
class Examples:
    """Rows of the net with what came: [rows, ...]."""

    x: np.ndarray
    methods: np.ndarray  # [rows, methods, levels], divided by the scale
    y: np.ndarray  # divided by the scale
    scale: np.ndarray
    group: np.ndarray  # of the set, for its share

    def of(self, chosen: np.ndarray) -> "Examples":
        return Examples(self.x[chosen], self.methods[chosen], self.y[chosen], self.scale[chosen], self.group[chosen])


def joined(parts: Iterable[Examples]) -> Examples:
    all_parts = list(parts)
    fields = ("x", "methods", "y", "scale", "group")
    return Examples(*(np.concatenate([getattr(part, name) for part in all_parts]) for name in fields))


def sets_below(folder: Path, *names: str) -> Path:
    """The folder that holds each `<name>/long.parquet`: this one, or its `demand`. Raises FileNotFoundError."""
    for place in (folder, folder / "demand"):
        missing = [name for name in names if not (place / name / "long.parquet").is_file()]
        if not missing:
            return place
        if len(missing) < len(names):
            raise FileNotFoundError(f"{place} has no {missing[0]}/long.parquet")
    raise FileNotFoundError(
        f"neither {folder} nor {folder / 'demand'} has {' and '.join(names)}, each with long.parquet"
    )


def read_set(folder: Path, name: str) -> Panel:
    """`<folder>/<name>/long.parquet`; a realised price or promotion is not among what is KNOWN in advance."""
    table = pq.read_table(folder / name / "long.parquet")
    columns = {column: table[column].to_numpy(zero_copy_only=False) for column in table.column_names}
    names, row = np.unique(columns["series_id"].astype(str), return_inverse=True)
    day = columns["date"].astype("datetime64[D]")
    first = day.min()
    column = (day - first).astype(int)
    shape = (len(names), int(column.max()) + 1)
    is_told = np.zeros(shape, bool)
    is_told[row, column] = True
    qty = np.zeros(shape)
    qty[row, column] = np.nan_to_num(columns["qty"].astype(float))
    is_open = is_told.copy()
    if "open" in columns:
        is_open[row, column] = columns["open"].astype(float) > 0
    known = {}
    for covariate in KNOWN:
        if covariate in columns:
            known[covariate] = np.full((shape[0], shape[1] + MAX_HORIZON_D), np.nan)
            known[covariate][row, column] = columns[covariate].astype(float)
    return Panel(tuple(names), first.astype(object), qty, is_open, known, starts(qty))


def as_known(panel: Panel, origin: int, rng: np.random.Generator, forgets: dict[str, float]) -> Panel:
    """The panel at an origin as a shop has it: weather to come is a forecast, wrong as forecasts are, or missing."""
    seen = panel.upto(origin)
    known = {name: values.copy() for name, values in seen.known.items()}
    if rng.random() < forgets["plans"]:
        known = {name: values for name, values in known.items() if name in WEATHER}
    if rng.random() < forgets["weather"]:
        known = {name: values for name, values in known.items() if name not in WEATHER}
    for name in WEATHER:
        if name in known:
            known[name][:, origin + 1 :] = forecast(name, known[name][:, origin + 1 :], rng)
    start = seen.start
    if rng.random() < forgets["past"]:
        kept = np.exp(rng.uniform(np.log(MIN_DAYS), np.log(400), len(start))).astype(int)
        start = np.maximum(start, origin + 1 - kept)
    return replace(seen, known=known, start=start)


def forecast(name: str, came: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What was forecast where `came` came: the error grows with the days ahead; a wet day is missed or moved."""
    ahead = np.arange(came.shape[1])
    if name == "temp":
        return came + rng.normal(0, FORECAST_STD_C[0] + FORECAST_STD_C[1] * ahead, came.shape)
    sure = np.clip(0.9 - 0.06 * ahead, 0.1, 1.0)
    other = np.where(np.isfinite(came), rng.permuted(came, axis=1), np.nan)
    return np.where(rng.random(came.shape) < sure, came * rng.gamma(4, 0.25, came.shape), other)


def examples(
    panel: Panel,
    origins: Iterable[int],
    group: int,
    rng: np.random.Generator,
    per_origin: int = 10_000,
    horizons: int = 5,
    year_dropout: float = 0.3,
    forgets: dict[str, float] = FORGETS,
) -> Iterator[Examples]:
    """Of each origin: up to `per_origin` series, of each some days ahead (nearer ones more often)."""
    imputed = panel.imputed()
    for origin in origins:
        seen = as_known(panel, origin, rng, forgets)
        series = np.flatnonzero(origin + 1 - seen.start >= MIN_DAYS)
        if len(series) > per_origin:
            series = np.sort(rng.choice(series, per_origin, replace=False))
        if len(series):
            yield _drawn(panel, seen, imputed, series, origin, group, rng, horizons, year_dropout)


def _drawn(
    panel: Panel,
    seen: Panel,
    imputed: np.ndarray,
    series: np.ndarray,
    origin: int,
    group: int,
    rng: np.random.Generator,
    horizons: int,
    year_dropout: float,
) -> Examples:
    reach = min(MAX_HORIZON_D, panel.days - 1 - origin)
    found = rows(seen, imputed[:, : origin + 1], series, np.full(len(series), origin), reach)
    weight = np.where(np.arange(reach) < 7, 2.0, 1.0)
    order = np.argsort(-np.log(rng.random((len(series), reach))) / weight, axis=1)[:, : min(horizons, reach)]
    pair = np.repeat(np.arange(len(series)), order.shape[1])
    ahead = order.ravel()
    ok = panel.is_open[series[pair], origin + 1 + ahead]
    pair, ahead = pair[ok], ahead[ok]
    x = found.x[pair, ahead]
    x[np.ix_(rng.random(len(x)) < year_dropout, YEAR_COLUMNS)] = 0.0
    scale = found.scale[pair]
    methods = (found.methods[pair, ahead] / scale[:, None, None]).astype(np.float32)
    y = (panel.qty[series[pair], origin + 1 + ahead] / scale).astype(np.float32)
    assert methods.shape[1:] == (len(METHODS), len(LEVELS))
    return Examples(x, methods, y, scale, np.full(len(x), group))
