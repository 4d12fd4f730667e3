"""Simulated lots: what was true of them, and what the agent would have known. A row for every look at a lot.

Unknown to the agent: the true life and its temperature dependence (drawn between sources), how much of it was used up
before the lot came, the pack's time constant, where in the room it lies, the lag of its flora, and the future.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from spoilage_climate import STEP_H, courses

from edge_agent.spoilage.chilling import dose_rate
from edge_agent.spoilage.condition import States, advance, start
from edge_agent.spoilage.features import GROUPS, OFFSET_D, Outlook, rows
from edge_agent.spoilage.kinetics import NAMES as KINDS
from edge_agent.spoilage.kinetics import lag_share_at, rates
from edge_agent.spoilage.net import physics
from edge_agent.spoilage.traits import Traits
from edge_agent.spoilage.water import deficit_kpa, loss_pct_d

Array = NDArray[np.float64]

STEPS = int(20 * 24 / STEP_H)  # of a lot that is watched; what lives longer is told from its mean course
LOOKS = 4  # at each lot: on arrival, and at three other times
FORECAST_SD_C = 0.6  # the forecast is right on average: accidents to come are its business, not the net's
MOST_LABEL = 3.5  # of ln; beyond it a look tells no more


@dataclass(frozen=True, slots=True)
class Looks:
    """One row each: inputs, the physics, and the truth."""

    inputs: NDArray[np.float32]
    rest: Array  # days, physics
    gaps: Array  # [n, 4] of the physics' band
    true_d: Array
    kind: NDArray[np.int64]  # of the kinetics, to tell results by
    group: NDArray[np.int64]

    @property
    def label(self) -> Array:
        """ln(true remaining / physics remaining), both with OFFSET_D."""
        return np.log((self.true_d + OFFSET_D) / (self.rest + OFFSET_D))


def joined(parts: list[Looks]) -> Looks:
    return Looks(*(np.concatenate([getattr(part, name) for part in parts]) for name in Looks.__slots__))


@dataclass(frozen=True, slots=True)
class Goods:
    """Nominal traits and what else is believed of them."""

    traits: Traits
    level_c: Array  # of the room they are kept in
    life_sd: Array
    slope_sd: Array
    group: NDArray[np.int64]


# Of each group: kinds of kinetics with (lowest, highest) parameter, median life at ref_c (d) and its sd of ln, ref_c.
_GROUPS = {
    "leaf": ("q10", 2.0, 4.6, 14.0, 0.5, 0.0),
    "vegetable": ("q10", 1.8, 4.0, 18.0, 0.7, 4.0),
    "fruit": ("q10", 1.8, 3.6, 10.0, 0.8, 4.0),
    "meat": ("square_root", -9.0, -5.0, 8.0, 0.6, 2.0),
    "fish": ("square_root", -11.0, -7.0, 10.0, 0.5, 0.0),
    "dairy": ("square_root", -6.0, -3.0, 15.0, 0.6, 4.0),
    "other": ("arrhenius", 50.0, 95.0, 14.0, 1.0, 5.0),
}
_SHARES = (0.18, 0.14, 0.16, 0.18, 0.12, 0.14, 0.08)
_MICROBIAL = ("meat", "fish", "dairy")


def goods(generator: np.random.Generator, n: int) -> Goods:
    group = generator.choice(len(GROUPS), n, p=_SHARES)
    table = [_GROUPS[name] for name in GROUPS]
    kinds = np.array([KINDS.index(row[0]) for row in table])[group]
    low, high, life, sd, ref = (np.array([row[i] for row in table], dtype=float)[group] for i in range(1, 6))
    parameter = generator.uniform(low, high)
    is_exponential = (generator.random(n) < 0.15) & np.isin(group, [GROUPS.index("fish"), GROUPS.index("other")])
    kinds = np.where(is_exponential, KINDS.index("exponential"), kinds)
    parameter = np.where(is_exponential, generator.uniform(0.08, 0.16, n), parameter)
    life_d = np.clip(life * np.exp(generator.normal(0.0, 1.0, n) * sd), 1.0, 300.0)
    microbial = np.isin(group, [GROUPS.index(name) for name in _MICROBIAL])
    lag = np.where(microbial & (generator.random(n) < 0.7), generator.uniform(0.05, 0.45, n), 0.0)
    sensitive = np.isin(group, [1, 2]) & (generator.random(n) < 0.35)
    ref = np.where(sensitive, generator.uniform(8.0, 14.0, n), ref)
    chill_c = np.where(sensitive, ref - generator.uniform(0.0, 2.0, n), np.nan)
    nothing = np.full(n, np.nan)
    dries = np.isin(group, [0, 1, 2]) & (generator.random(n) < 0.6)
    transpiration = np.where(dries, np.exp(generator.normal(np.log(20.0), 1.5, n)), 0.0)  # as packed
    most_loss = np.where(dries, generator.uniform(3.0, 10.0, n), np.nan)
    traits = Traits(
        kind=kinds, parameter=parameter, ref_c=ref, life_d=life_d,
        lag_share=lag, lag_power=np.where(lag > 0, generator.uniform(1.0, 1.6, n), 1.0),
        chill_c=chill_c, chill_at_c=np.where(sensitive, chill_c - 7.0, np.nan),
        chill_days=np.where(sensitive, generator.uniform(3.0, 10.0, n), np.nan),
        chill_power=np.where(sensitive, generator.uniform(1.2, 2.4, n), np.nan),
        chill_grace=np.where(sensitive, generator.uniform(0.0, 0.3, n), 0.0),
        chill_hardened=np.ones(n), freeze_c=nothing, transpiration=transpiration, most_loss_pct=most_loss,
        tau_s=np.exp(generator.uniform(np.log(900.0), np.log(40_000.0), n)),
    )  # fmt: skip
    cold = np.where(sensitive, ref + generator.normal(0.0, 3.0, n), generator.normal(3.5, 2.0, n))
    warm = generator.uniform(8.0, 24.0, n)
    level = np.where(generator.random(n) < 0.15, warm, cold)
    return Goods(
        traits=traits, level_c=np.clip(level, -1.0, 25.0),
        life_sd=0.08 + generator.gamma(2.2, 0.14, n).clip(max=1.0),
        slope_sd=np.where(generator.random(n) < 0.2, 0.0, generator.uniform(0.03, 0.40, n)),
        group=group,
    )  # fmt: skip


def looks(generator: np.random.Generator, blocks: Array, n: int) -> Looks:
    """``n`` lots, LOOKS rows each."""
    lots = goods(generator, n)
    truth = _truth(generator, lots)
    air = courses(generator, blocks, lots.level_c, STEPS, generator.uniform(0.2, 1.0, n))
    told = _told(generator, air)
    used_before = np.where(generator.random(n) < 0.4, 0.0, generator.uniform(0.0, 0.4, n))
    truly_used = np.clip(used_before * np.exp(generator.normal(0.0, 0.35, n)), 0.0, 0.8)
    at_c = air[0] + generator.normal(0.0, 1.0, n)
    died_d = _spoiled_at(truth, air + truth.place_c, at_c, truly_used)
    steps = _look_steps(generator, died_d)
    hygrometer = np.where(generator.random(n) < 0.3, np.nan, np.clip(truth.rh_pct + generator.normal(0, 3, n), 40, 99))
    ahead_c = _Ahead(air, died_d)
    parts = _watched(lots, (told, hygrometer), (at_c, used_before), steps, ahead_c, generator)
    order = np.concatenate([part[0] for part in parts])
    step = np.concatenate([np.full(len(part[0]), part[1]) for part in parts])
    true_d = np.maximum(died_d[order] - step * STEP_H / 24, 0.0)
    found = joined([part[2] for part in parts])
    return replace(found, true_d=true_d)


@dataclass(frozen=True, slots=True)
class _Truth:
    traits: Traits
    slope: Array  # of ln rate per 10 K off the table
    place_c: Array  # the lot's place against the sensor's
    rh_pct: Array
    most_loss_pct: Array


def _truth(generator: np.random.Generator, lots: Goods) -> _Truth:
    n = len(lots.life_sd)
    t = lots.traits
    true = replace(
        t,
        life_d=t.life_d * np.exp(generator.normal(0.0, 1.0, n) * lots.life_sd),
        tau_s=t.tau_s * np.exp(generator.normal(0.0, 0.45, n)),
        lag_share=np.clip(t.lag_share * np.exp(generator.normal(0.0, 0.4, n)), 0.0, 0.5),
        chill_days=t.chill_days * np.exp(generator.normal(0.0, 0.35, n)),
    )
    drier = np.exp(generator.normal(0.0, 0.4, n))
    true = replace(true, transpiration=t.transpiration * drier)
    slope = generator.normal(0.0, 1.0, n) * lots.slope_sd
    place_c = generator.normal(0.0, 0.6, n)
    most_loss_pct = t.most_loss_pct * np.exp(generator.normal(0.0, 0.3, n))
    return _Truth(true, slope, place_c, generator.uniform(84.0, 96.0, n), most_loss_pct)


def _told(generator: np.random.Generator, air: Array) -> Array:
    """What the sensor said: its offset, its noise, and in a seventh of the lots stretches of nothing."""
    steps, n = air.shape
    told = air + generator.normal(0.0, 0.25, n) + generator.normal(0.0, 0.08, (steps, n))
    for lot in np.nonzero(generator.random(n) < 0.15)[0]:
        begin = int(generator.integers(1, steps))
        told[begin : begin + int(generator.gamma(1.2, 8.0 / STEP_H)) + 1, lot] = np.nan
    return told


def _spoiled_at(truth: _Truth, air: Array, at_c: Array, used: Array) -> Array:
    """Days from receipt until the lot was spoiled; beyond the watched time at the mean of its last week."""
    t = truth.traits
    share = t.lag_share
    has_lag = share > 0
    lag, growth, chill = used.copy(), used.copy(), np.zeros(len(used))
    goods_c = at_c.copy()
    died = np.full(len(used), np.inf)
    keep = np.exp(-STEP_H * 3600 / t.tau_s)
    spent, lost = np.zeros(len(used)), np.zeros(len(used))
    step_d = STEP_H / 24
    for step, air_c in enumerate(air):
        before = spent
        middle_c = air_c + (goods_c - air_c) * np.sqrt(keep)
        lost = lost + _dried(truth, middle_c, air_c, step_d)
        goods_c = air_c + (goods_c - air_c) * keep
        lag, growth, chill = _aged(truth, middle_c, (lag, growth, chill), step_d)
        aged = np.where(has_lag, share * np.minimum(lag, 1.0) + (1 - share) * growth, growth) + chill
        spent = np.fmax(aged, lost / truth.most_loss_pct)  # NaN: goods that do not dry
        now = (spent >= 1.0) & np.isinf(died)
        died = np.where(now, (step + np.clip((1 - before) / np.maximum(spent - before, 1e-9), 0, 1)) * step_d, died)
    late_c = air[-int(7 * 24 / STEP_H) :].mean(axis=0)
    _, last, cold = _aged(truth, late_c, (np.ones_like(lag), growth, chill), 1.0)
    pace = np.where(has_lag, (1 - share) * (last - growth), last - growth) + (cold - chill)
    pace = np.fmax(pace, _dried(truth, late_c, late_c, 1.0) / truth.most_loss_pct)
    later = len(air) * step_d + np.maximum(1.0 - spent, 0.0) / np.maximum(pace, 1e-4)
    return np.where(np.isinf(died), np.minimum(later, 380.0), died)


def _aged(truth: _Truth, goods_c: Array, state: tuple[Array, Array, Array], days: float) -> tuple[Array, Array, Array]:
    t = truth.traits
    lag, growth, chill = state
    rate = rates(t.kind, t.parameter, t.ref_c, goods_c) * np.exp(truth.slope * (goods_c - t.ref_c) / 10.0)
    share = lag_share_at(rate, t.lag_share, t.lag_power)
    whole = rate / t.life_d * days
    lag_step = whole / np.maximum(share, 1e-9)
    in_lag = np.where(t.lag_share > 0, np.clip((1.0 - lag) / np.maximum(lag_step, 1e-12), 0.0, 1.0), 0.0)
    grown = growth + whole / (1.0 - share) * (1.0 - in_lag)
    cold = chill + dose_rate(goods_c, t.chill_c, t.chill_at_c, t.chill_days, t.chill_power) * days
    return np.minimum(lag + lag_step, np.maximum(lag, 1.0)), grown, cold


def _dried(truth: _Truth, goods_c: Array, air_c: Array, days: float) -> Array:
    """Water lost, % of the weight."""
    return loss_pct_d(truth.traits.transpiration, deficit_kpa(goods_c, air_c, truth.rh_pct)) * days


class _Ahead:
    """What the room will be like, on average over what is left of each lot's life (12 h at least)."""

    def __init__(self, air: Array, died_d: Array) -> None:
        self._sums = np.concatenate((np.zeros((1, air.shape[1])), np.cumsum(air, axis=0)))
        self._end = np.ceil(np.minimum(died_d * 24 / STEP_H, STEPS)).astype(int)

    def mean_c(self, step: int, chosen: Array) -> Array:
        end = np.clip(self._end[chosen], min(step + int(12 / STEP_H), STEPS), STEPS)
        begin = np.minimum(step, end - 1)
        return (self._sums[end, chosen] - self._sums[begin, chosen]) / (end - begin)


def _look_steps(generator: np.random.Generator, died_d: Array) -> Array:
    """[LOOKS, n] steps after receipt, 0 on arrival; late in the life as often as early, a few after its end."""
    share = generator.uniform(0.0, 1.08, (LOOKS - 1, len(died_d)))
    later = np.minimum(share * died_d, (STEPS - 1) * STEP_H / 24) * 24 / STEP_H
    return np.concatenate((np.zeros((1, len(died_d)), dtype=int), later.astype(int)))


def _watched(
    lots: Goods,
    sensors: tuple[Array, Array],
    begin: tuple[Array, Array],
    steps: Array,
    ahead: "_Ahead",
    generator: np.random.Generator,
) -> list[tuple[Array, int, Looks]]:
    (told, rh_pct), (at_c, used) = sensors, begin
    states = start(lots.traits, at_c, used)
    parts = []
    for step in range(STEPS):
        chosen = np.concatenate([np.nonzero(row == step)[0] for row in steps])
        if chosen.size:
            parts.append((chosen, step, _seen(lots, states, chosen, ahead.mean_c(step, chosen), generator)))
        states = advance(states, lots.traits, told[step], rh_pct, STEP_H * 3600)
    return parts


def _seen(lots: Goods, states: States, chosen: Array, ahead_c: Array, generator: np.random.Generator) -> Looks:
    some = States(states.table[:, chosen])
    traits = Traits(*(getattr(lots.traits, name)[chosen] for name in Traits.__slots__))
    view = Outlook(
        forecast_c=ahead_c + generator.normal(0.0, FORECAST_SD_C, chosen.size),
        life_sd=lots.life_sd[chosen], slope_sd=lots.slope_sd[chosen], group=lots.group[chosen],
    )  # fmt: skip
    base = physics(some, traits, view)
    inputs = rows(some, traits, view, base.rest)
    return Looks(inputs, base.rest, base.gaps, np.zeros(chosen.size), traits.kind, view.group)
