"""What a lot has been through, and how far it is: one step of air at a time, for one lot or for thousands at once.

There is one arithmetic, over arrays; a single lot is an array of one. Within a step the goods follow evenly changing
air exactly (domain.thermal) and the rates are integrated by Gauss's rule with four points on each stretch, so that
steps of an hour are as good as steps of a minute.

What recent days were like is kept as means that forget exponentially, with 6, 24 and 72 h: nine numbers instead of a
ring of samples. A lot younger than the window has the plain mean of what it saw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from edge_agent.spoilage.chilling import HARDENING_D, dose_rate, dosed, hardens, injury
from edge_agent.spoilage.kinetics import Array, lag_share_at, rates
from edge_agent.spoilage.thermal import LEAST_TAU_S, course_c
from edge_agent.spoilage.traits import Traits
from edge_agent.spoilage.water import FACTOR_SD, Factor, Weighed, deficit_kpa, learnt, loss_pct_d

DAY_S, HOUR_S = 86_400.0, 3600.0
WINDOWS_H = (6, 24, 72)
ASSUMED_RH_PCT = 85.0  # where humidity is not measured: a dry cold room
PESSIMISTIC_SD = 1.2816  # upper 90 % of what the last three days were like, where nothing is measured
LONGEST_STEP_S = 30 * DAY_S
FORM = 1  # of the written condition

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_NODES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2
_PANEL_TAUS = (2.0, 8.0)  # where a long step is cut: the goods' own swing is over after so many time constants


@dataclass(frozen=True, slots=True)
class Condition:
    """Of one lot. Times in hours, shares of the life from 0 (fresh) to 1 (spoiled) and beyond."""

    product_c: float
    air_c: float  # at the end of the last step
    seen_h: float = 0.0  # since it was received
    lag: float = 0.0  # share of the lag that is over
    growth: float = 0.0  # share of the life after the lag
    chill: float = 0.0  # dose
    hardened: float = 0.0
    lost_pct: float = 0.0  # water, of the weight at receipt
    dry_kpa_d: float = 0.0  # deficit times days since the scale last taught something
    factor: float = 1.0  # of transpiration against the table's
    factor_sd: float = FACTOR_SD
    weighed_pct_d: float = nan  # loss by the scale; NaN: not weighed
    weighed_se_pct_d: float = nan
    above_5_h: float = 0.0
    above_8_h: float = 0.0
    below_0_h: float = 0.0
    chilled_h: float = 0.0
    frozen_h: float = 0.0
    blind_h: float = 0.0  # without a measured air temperature
    mean_6: float = 0.0  # forgetting sums; `exposure` tells what they mean
    mean_24: float = 0.0
    mean_72: float = 0.0
    square_6: float = 0.0
    square_24: float = 0.0
    square_72: float = 0.0
    max_6: float = -99.0
    max_24: float = -99.0
    max_72: float = -99.0
    rate_6: float = 0.0
    rate_24: float = 0.0
    rate_72: float = 0.0
    vpd_24: float = 0.0
    vpd_72: float = 0.0
    blind_72: float = 0.0


FIELDS = tuple(field.name for field in fields(Condition))
_PLACE = {name: place for place, name in enumerate(FIELDS)}


@dataclass(frozen=True, slots=True)
class States:
    """Conditions of many lots: one row for each of FIELDS, one column for each lot."""

    table: Array

    def of(self, name: str) -> Array:
        return np.asarray(self.table[_PLACE[name]])

    def __len__(self) -> int:
        return int(self.table.shape[1])


def start(lots: Traits, product_c: Array, used: Array | float = 0.0) -> States:
    """Lots as they come in, `used` = the share of their life that is behind them (growth and lag alike)."""
    table = np.empty((len(FIELDS), max(len(lots), np.size(product_c), np.size(used))))
    for place, field in enumerate(fields(Condition)):
        table[place] = field.default if isinstance(field.default, float) else 0.0
    for name, values in (("product_c", product_c), ("air_c", product_c), ("lag", used), ("growth", used)):
        table[_PLACE[name]] = values
    for window in WINDOWS_H:
        table[_PLACE[f"max_{window}"]] = product_c
    return States(table)


def received(lot: Traits, product_c: float, used: float = 0.0) -> Condition:
    """One lot as it comes in."""
    if not isfinite(product_c):
        raise ValueError(f"product_c = {product_c}: must be a temperature")
    return unstacked(start(lot, np.array([product_c]), used))[0]


def stacked(conditions: Sequence[Condition]) -> States:
    return States(np.array([[getattr(one, name) for one in conditions] for name in FIELDS], dtype=np.float64))


def unstacked(states: States) -> list[Condition]:
    return [Condition(*column) for column in states.table.T.tolist()]


def advance(states: States, lots: Traits, air_c: Array, rh_pct: Array, dt_s: float) -> States:
    """All lots after one step. NaN air: the upper 90 % of the last days is assumed; NaN humidity: 85 %."""
    if dt_s <= 0:
        return states
    if not dt_s <= LONGEST_STEP_S:
        raise ValueError(f"dt_s = {dt_s}: must be at most {LONGEST_STEP_S:.0f} s in one step")
    blind = np.isnan(air_c) | np.zeros(len(states), dtype=bool)
    assumed_c = pessimistic_c(states) if blind.any() else air_c
    air_end_c = np.where(blind, assumed_c, air_c)
    air_begin_c = np.where(blind, assumed_c, states.of("air_c"))
    rh = np.broadcast_to(np.where(np.isnan(rh_pct), ASSUMED_RH_PCT, rh_pct), blind.shape)
    step = _integrated(states, lots, _Step(air_begin_c, air_end_c, rh, dt_s))
    table = states.table.copy()
    _ages(table, lots, step, dt_s)
    _remembers(table, states, lots, step, blind, dt_s)
    table[_PLACE["product_c"]] = step.end_c
    table[_PLACE["air_c"]] = air_end_c
    return States(table)


@dataclass(frozen=True, slots=True)
class _Step:
    air_begin_c: Array
    air_end_c: Array
    rh_pct: Array
    dt_s: float


@dataclass(frozen=True, slots=True)
class _Course:
    """What a step did, integrated: means over the step, and temperatures at the ends of its stretches."""

    ends_c: list[Array]  # at the edges of the stretches
    edges_s: list[Array]
    lag_d: Array  # days of lag work, 1 / the lag's length integrated
    growth_d: Array
    chill: Array
    hardening_d: Array
    warm_d: Array
    mean_c: Array
    square_c2: Array
    deficit: Array

    @property
    def end_c(self) -> Array:
        return self.ends_c[-1]


def _edges_s(tau_s: Array, dt_s: float) -> list[Array]:
    """Ends of the stretches of a step: one, where the goods follow slowly; three, where they are soon there."""
    tau = np.maximum(tau_s, LEAST_TAU_S)
    begin, end = np.zeros_like(tau), np.full_like(tau, dt_s)
    if dt_s <= _PANEL_TAUS[0] * float(tau.min()):
        return [begin, end]
    return [begin, *(np.minimum(tau * many, dt_s) for many in _PANEL_TAUS), end]


def _integrated(states: States, lots: Traits, step: _Step) -> _Course:
    before_c = states.of("product_c")
    edges_s = _edges_s(lots.tau_s, step.dt_s)

    def at(after_s: Array) -> Array:
        return course_c(before_c, step.air_begin_c, step.air_end_c, step.dt_s, lots.tau_s, after_s)

    totals = np.zeros((7, len(states)))
    for begin_s, end_s in pairwise(edges_s):
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            after_s = begin_s + (end_s - begin_s) * node
            air_c = step.air_begin_c + (step.air_end_c - step.air_begin_c) * (after_s / step.dt_s)
            totals += _rates_at(lots, at(after_s), air_c, step.rh_pct) * (weight * (end_s - begin_s) / DAY_S)
    chill_c = np.nan_to_num(lots.chill_c, nan=-99.0)
    ends_c = [before_c, *(at(edge) for edge in edges_s[1:])]
    lag, growth, chill, hardening, mean, square, deficit = totals
    days = step.dt_s / DAY_S
    warm_d = np.where(mean / days >= chill_c, days, 0.0)
    return _Course(ends_c, edges_s, lag, growth, chill, hardening, warm_d, mean / days, square / days, deficit)


def _rates_at(lots: Traits, product_c: Array, air_c: Array, rh_pct: Array) -> Array:
    """All that is integrated, at one moment, by the day."""
    rate = rates(lots.kind, lots.parameter, lots.ref_c, product_c)
    share = lag_share_at(rate, lots.lag_share, lots.lag_power)
    whole = rate / lots.life_d
    zero = np.zeros_like(product_c)
    return np.stack(
        np.broadcast_arrays(
            whole / np.maximum(share, 1e-9),
            whole / (1.0 - share),
            dose_rate(product_c, lots.chill_c, lots.chill_at_c, lots.chill_days, lots.chill_power) + zero,
            hardens(product_c, lots.chill_c) + zero,
            product_c,
            product_c * product_c,
            deficit_kpa(product_c, air_c, rh_pct),
        )
    )


def _ages(table: Array, lots: Traits, step: _Course, dt_s: float) -> None:
    """Lag first, then growth; injury by cold; water. In place: `table` is this step's own."""
    lag, growth = table[_PLACE["lag"]], table[_PLACE["growth"]]
    has_lag = lots.lag_share > 0
    in_lag = np.where(has_lag, np.clip((1.0 - lag) / np.maximum(step.lag_d, 1e-12), 0.0, 1.0), 0.0)
    table[_PLACE["lag"]] = np.where(has_lag, np.minimum(lag + step.lag_d, np.maximum(lag, 1.0)), growth + step.growth_d)
    table[_PLACE["growth"]] = growth + step.growth_d * (1.0 - in_lag)
    hard = table[_PLACE["hardened"]]
    gained = step.chill * (1.0 - hard * (1.0 - lots.chill_hardened))
    table[_PLACE["chill"]] = dosed(table[_PLACE["chill"]], gained, step.warm_d, lots.chill_grace)
    table[_PLACE["hardened"]] = np.minimum(hard + step.hardening_d / HARDENING_D, 1.0)
    lost = loss_pct_d(lots.transpiration, step.deficit) * table[_PLACE["factor"]]
    table[_PLACE["lost_pct"]] = np.minimum(table[_PLACE["lost_pct"]] + lost, 100.0)
    table[_PLACE["dry_kpa_d"]] += step.deficit
    table[_PLACE["seen_h"]] += dt_s / HOUR_S


def _remembers(
    table: Array, before: States, lots: Traits, step: _Course, blind: NDArray[np.bool_], dt_s: float
) -> None:
    """Hours beyond the limits and the forgetting means. In place, as above."""
    hours = dt_s / HOUR_S
    table[_PLACE["above_5_h"]] += _beyond_h(step, 5.0)
    table[_PLACE["above_8_h"]] += _beyond_h(step, 8.0)
    table[_PLACE["below_0_h"]] += hours - _beyond_h(step, 0.0)
    table[_PLACE["chilled_h"]] += hours - _beyond_h(step, np.nan_to_num(lots.chill_c, nan=-99.0))
    table[_PLACE["frozen_h"]] += hours - _beyond_h(step, np.nan_to_num(lots.freeze_c, nan=-99.0))
    table[_PLACE["blind_h"]] += hours * blind
    used_d = (used_growth(States(table), lots) - used_growth(before, lots)) / (dt_s / DAY_S)
    warmest_c = np.maximum.reduce(step.ends_c)
    for window in WINDOWS_H:
        share = -np.expm1(-hours / window)
        _forgets(table, f"mean_{window}", step.mean_c, share)
        _forgets(table, f"square_{window}", step.square_c2, share)
        _forgets(table, f"rate_{window}", used_d, share)
        leaked = step.end_c + (table[_PLACE[f"max_{window}"]] - step.end_c) * (1.0 - share)
        table[_PLACE[f"max_{window}"]] = np.maximum(leaked, warmest_c)
    for window in WINDOWS_H[1:]:
        _forgets(table, f"vpd_{window}", step.deficit * DAY_S / dt_s, -np.expm1(-hours / window))
    _forgets(table, "blind_72", blind.astype(np.float64), -np.expm1(-hours / 72))


def _forgets(table: Array, name: str, value: Array, share: float) -> None:
    row = table[_PLACE[name]]
    row += (value - row) * share


def _beyond_h(step: _Course, limit_c: Array | float) -> Array:
    """Hours above a limit: evenly between the ends of each stretch, as `domain.thermal.above_s` has it."""
    total = np.zeros_like(step.end_c)
    for place in range(len(step.edges_s) - 1):
        low = np.minimum(step.ends_c[place], step.ends_c[place + 1])
        high = np.maximum(step.ends_c[place], step.ends_c[place + 1])
        part = np.clip((high - limit_c) / np.maximum(high - low, 1e-9), 0.0, 1.0)
        total += part * (step.edges_s[place + 1] - step.edges_s[place])
    return total / HOUR_S


def pessimistic_c(states: States) -> Array:
    """Where nobody measures: the upper 90 % of the last three days, and no less than the air was last."""
    known = _known(states, 72)
    mean = states.of("mean_72") / known
    sd = np.sqrt(np.maximum(states.of("square_72") / known - mean * mean, 0.0))
    return np.where(
        states.of("seen_h") > 0, np.maximum(mean + PESSIMISTIC_SD * sd, states.of("air_c")), states.of("air_c")
    )


def _known(states: States, window_h: int) -> Array:
    """Weight that the forgetting means of a young lot have yet."""
    return np.maximum(-np.expm1(-states.of("seen_h") / window_h), 1e-9)


def used_growth(states: States, lots: Traits) -> Array:
    """Ordinary ageing: lag and growth, each with its share of the life at the reference."""
    share = lots.lag_share
    return np.asarray(share * states.of("lag") + (1.0 - share) * states.of("growth"))


def used_cold(states: States, lots: Traits) -> Array:
    """Ageing and chilling injury together (additive to first order)."""
    return used_growth(states, lots) + injury(states.of("chill"), lots.chill_grace)


def used_water(states: States, lots: Traits) -> Array:
    """Share of the loss at which goods look withered; 0 for goods that do not dry."""
    return np.nan_to_num(states.of("lost_pct") / lots.most_loss_pct, nan=0.0)


def used(states: States, lots: Traits) -> Array:
    """Share of the life that is used up: whichever comes first, ageing or drying."""
    return np.maximum(used_cold(states, lots), used_water(states, lots))


def exposure(states: States) -> Mapping[str, Array]:
    """What the lots have been through, as a model may read it. Units in the names; sd and means of the goods."""
    out: dict[str, Array] = {"age_h": states.of("seen_h")}
    for window in WINDOWS_H:
        known = _known(states, window)
        young = states.of("seen_h") <= 0
        mean = np.where(young, states.of("product_c"), states.of(f"mean_{window}") / known)
        square = np.where(young, mean * mean, states.of(f"square_{window}") / known)
        out[f"mean_c_{window}"] = mean
        out[f"sd_c_{window}"] = np.sqrt(np.maximum(square - mean * mean, 0.0))
        out[f"max_c_{window}"] = states.of(f"max_{window}")
        out[f"rate_per_d_{window}"] = states.of(f"rate_{window}") / known
    for window in WINDOWS_H[1:]:
        out[f"vpd_kpa_{window}"] = states.of(f"vpd_{window}") / _known(states, window)
    out["blind_share_72"] = states.of("blind_72") / _known(states, 72)
    named = {"hours_above_5": "above_5_h", "hours_above_8": "above_8_h", "hours_below_0": "below_0_h"}
    named |= {"hours_chilled": "chilled_h", "hours_frozen": "frozen_h", "lost_pct": "lost_pct"}
    named |= {"loss_pct_d": "weighed_pct_d", "loss_se_pct_d": "weighed_se_pct_d"}
    return out | {ours: states.of(theirs) for ours, theirs in named.items()}


def weighed(condition: Condition, lot: Traits, seen: Weighed, over_d: float) -> Condition:
    """What the scale says of a lot that lies there alone: its own transpiration, and the loss put right."""
    if not over_d > 0:
        raise ValueError(f"over_d = {over_d}: must be above 0")
    expected = float(loss_pct_d(lot.transpiration[:1], np.array([condition.dry_kpa_d]))[0]) / over_d
    factor = learnt(Factor(condition.factor, condition.factor_sd), seen, expected)
    reckoned = expected * condition.factor * over_d
    return replace(
        condition,
        factor=factor.mean,
        factor_sd=factor.sd,
        weighed_pct_d=seen.loss_pct_d,
        weighed_se_pct_d=seen.se_pct_d,
        lost_pct=min(max(max(condition.lost_pct - reckoned, 0.0) + seen.loss_pct_d * over_d, 0.0), 100.0),
        dry_kpa_d=0.0,
    )


def written(condition: Condition) -> list[float | None]:
    """For the memory: the form, and FIELDS in their order, rounded; None = not known."""
    return [FORM, *(None if value != value else _rounded(value) for value in _values(condition))]


def _values(condition: Condition) -> list[float]:
    return [float(getattr(condition, name)) for name in FIELDS]


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")


def read(row: object) -> Condition:
    """From the memory; ValueError names what cannot be read."""
    if not isinstance(row, list) or len(row) != len(FIELDS) + 1 or row[0] != FORM:
        raise ValueError(f"a condition of form {FORM} has {len(FIELDS) + 1} numbers, found {str(row)[:60]}")
    values = []
    for name, value in zip(FIELDS, row[1:], strict=True):
        if value is None and name.startswith("weighed"):
            values.append(nan)
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise ValueError(f"condition, {name} = {value}: must be a finite number")
        values.append(float(value))
    return Condition(*values)
