"""Invented shops for training: what no open set has enough of, with every cause a known covariate can tell.

A town is one panel of many shops, each with its own weather, calendar and kind of goods; sales are drawn day by day
from a mean that is a product of causes. Nothing here is fitted to a set that judges.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from edge_agent.demand.panel import Panel, starts
from edge_agent.domain.forecast import MAX_HORIZON_D

WEEK_D = 7
YEAR_D = 365.25
LATEST = 2024  # first years run from 2004 to this


@dataclass(frozen=True)
class Kind:
    """Of shop: middle of log level and its spread, how unlike the weekdays are, how noisy, share sold in money."""

    name: str
    log_level: float
    spread: float
    weekday: float
    year: float
    noise: float
    money: float
    closes_weekly: float


KINDS = (
    Kind("bakery", 3.6, 1.1, 0.30, 0.12, 0.22, 0.1, 0.5),
    Kind("cafe", 1.0, 1.1, 0.30, 0.15, 0.35, 0.1, 0.4),
    Kind("counter", 4.6, 0.9, 0.25, 0.30, 0.20, 1.0, 0.4),
    Kind("greengrocer", 2.8, 1.2, 0.20, 0.40, 0.35, 0.4, 0.5),
    Kind("grocery", -0.2, 1.2, 0.12, 0.15, 0.60, 0.0, 0.2),
)


@dataclass(frozen=True)
class Shop:
    """What all its goods share, by day: [days] each, covariates over days + MAX_HORIZON_D."""

    kind: Kind
    is_open: np.ndarray
    traffic: np.ndarray  # log
    weekday: np.ndarray  # [7] log
    known: dict[str, np.ndarray]
    responses: dict[str, float]  # log ratio, mean over the goods


def town(rng: np.random.Generator, shops: int = 40, goods: int = 12, days: int = 900) -> Panel:
    """Series of all the shops of a town, beside one another."""
    first = date(int(rng.integers(2004, LATEST + 1)), 1, 1) + timedelta(days=int(rng.integers(365)))
    qty, is_open, known = [], [], []
    for _ in range(shops):
        shop = _shop(rng, first, days)
        for _ in range(goods):
            sold, told = _good(rng, shop, first, days)
            qty.append(sold)
            is_open.append(shop.is_open)
            known.append(told)
    table = np.array(qty)
    names = tuple(f"good-{number}" for number in range(len(table)))
    columns = {name: np.array([told[name] for told in known]) for name in known[0]}
    return Panel(names, first, table, np.array(is_open), columns, starts(table))


# --- what a shop's goods share --------------------------------------------------------------------------------------


def _shop(rng: np.random.Generator, first: date, days: int) -> Shop:
    kind = KINDS[rng.choice(len(KINDS), p=[0.25, 0.2, 0.2, 0.15, 0.2])]
    total = days + MAX_HORIZON_D
    known = {**_holidays(rng, first, total), **_weather(rng, first, total)}
    weekday = rng.normal(0.0, kind.weekday, WEEK_D)
    weekday[4:] += rng.normal(0.15, 0.2)
    responses = {
        "holiday": rng.normal(-0.2, 0.8),
        "holiday_next2d": rng.normal(0.2, 0.2),
        "school_holiday": rng.normal(0.0, 0.15),
        "event": abs(rng.normal(0.3, 0.3)),
        "temp": rng.normal(0.0, 0.08),
        "precip": rng.normal(-0.04, 0.05),
    }
    return Shop(kind, _open_days(rng, kind, known, first, days), _traffic(rng, total), weekday, known, responses)


def _holidays(rng: np.random.Generator, first: date, total: int) -> dict[str, np.ndarray]:
    """Some ten fixed days a year, two moving weeks, Christmas and Easter-like; school holidays in blocks."""
    day_of_year = _day_of_year(first, total)
    year = (np.arange(total) + first.timetuple().tm_yday) // 365
    fixed = np.concatenate([[1, 359, 360], rng.integers(60, 320, 6)])
    holiday = np.isin(day_of_year, fixed)
    moving = rng.integers(85, 115, int(year.max()) + 1)
    holiday |= (day_of_year == moving[year]) | (day_of_year == moving[year] + 3)
    school = np.zeros(total, bool)
    for begin, length in ((355, 14), (95, 12), (int(rng.integers(170, 210)), 42), (int(rng.integers(280, 300)), 12)):
        school |= (day_of_year - begin) % 365 < length
    event = rng.random(total) < rng.choice([0.0, 0.02, 0.05])
    soon = np.zeros(total, bool)
    soon[:-1] |= holiday[1:]
    soon[:-2] |= holiday[2:]
    flags = {"holiday": holiday, "holiday_next2d": soon, "school_holiday": school, "event": event}
    return {name: flag.astype(float) for name, flag in flags.items()}


def _weather(rng: np.random.Generator, first: date, total: int) -> dict[str, np.ndarray]:
    """Daily mean in °C with persistence of days, rain in mm on two days of five."""
    season = -np.cos(2 * np.pi * (_day_of_year(first, total) - 20) / YEAR_D)
    temp = rng.normal(11, 4) + rng.uniform(5, 11) * season + _ar1(rng, total, 0.75, 3.0)
    is_wet = _ar1(rng, total, 0.4, 1.0) > rng.uniform(-0.1, 0.7)
    return {"temp": temp, "precip": np.where(is_wet, rng.gamma(0.7, 6.0, total), 0.0)}


def _open_days(
    rng: np.random.Generator, kind: Kind, known: dict[str, np.ndarray], first: date, days: int
) -> np.ndarray:
    weekday = (first.weekday() + np.arange(days)) % WEEK_D
    is_open = np.ones(days, bool)
    if rng.random() < kind.closes_weekly:
        is_open &= weekday != rng.choice([6, 6, 6, 0])
    if rng.random() < 0.6:
        is_open &= known["holiday"][:days] == 0
    if rng.random() < 0.3:
        begin = int(rng.integers(60, days - 30))
        is_open[begin : begin + int(rng.integers(5, 22))] = False
    return is_open


def _traffic(rng: np.random.Generator, total: int) -> np.ndarray:
    """Log of customers against usual: days that go on, weeks that go on, and a slow drift."""
    weekly = np.repeat(_ar1(rng, total // WEEK_D + 1, 0.9, rng.uniform(0.02, 0.10)), WEEK_D)[:total]
    return _ar1(rng, total, 0.4, rng.uniform(0.02, 0.10)) + weekly + rng.normal(0, 0.08) * np.arange(total) / YEAR_D


# --- a good ---------------------------------------------------------------------------------------------------------


def _good(rng: np.random.Generator, shop: Shop, first: date, days: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    kind, total = shop.kind, days + MAX_HORIZON_D
    known = {**shop.known, **_promotions(rng, total)}
    weekday = (first.weekday() + np.arange(days)) % WEEK_D
    log_mean = rng.normal(kind.log_level, kind.spread) + (shop.weekday + rng.normal(0, 0.4 * kind.weekday, 7))[weekday]
    log_mean += (
        shop.traffic[:days] + _year(rng, kind, first, days) + _drift(rng, days) + _answers(rng, shop, known, days)
    )
    mean = np.exp(np.clip(log_mean, -6.0, 8.0)) * _listed(rng, days)
    sold = _drawn(rng, kind, mean)
    return np.where(shop.is_open, sold, 0.0), known


def _promotions(rng: np.random.Generator, total: int) -> dict[str, np.ndarray]:
    """Blocks of a week or so; half of the time with a lower price."""
    promo = np.zeros(total)
    if rng.random() < 0.4:
        for begin in rng.integers(0, total, max(1, int(total * rng.uniform(0.003, 0.015)))):
            promo[begin : begin + int(rng.choice([3, 6, 7, 14]))] = 1.0
    cut = rng.uniform(0.6, 1.0) if rng.random() < 0.5 else 1.0
    return {"promo": promo, "price_rel": np.where(promo > 0, cut, 1.0)}


def _year(rng: np.random.Generator, kind: Kind, first: date, days: int) -> np.ndarray:
    """A smooth season, for some goods a short and strong one, and a rise before Christmas."""
    angle = 2 * np.pi * _day_of_year(first, days) / YEAR_D
    size, size2 = np.abs(rng.normal(0, kind.year)), np.abs(rng.normal(0, kind.year / 2))
    season = size * np.cos(angle - rng.uniform(0, 6.28)) + size2 * np.cos(2 * angle - rng.uniform(0, 6.28))
    if rng.random() < 0.12:
        season += rng.uniform(1.0, 3.5) * (np.exp(4.0 * (np.cos(angle - rng.uniform(0, 6.28)) - 1.0)) - 0.5)
    before = 357 - _day_of_year(first, days)
    return season + np.where((before >= 0) & (before < 25), rng.normal(0.1, 0.25) * (25 - before) / 25, 0.0)


def _drift(rng: np.random.Generator, days: int) -> np.ndarray:
    """A level that wanders by weeks, steps now and then, and a trend."""
    weekly = np.cumsum(rng.normal(0, rng.choice([0.0, 0.02, 0.05, 0.1]), days // WEEK_D + 1))
    level = np.interp(np.arange(days), np.arange(len(weekly)) * WEEK_D, weekly)
    for begin in rng.integers(0, days, rng.poisson(days / 700)):
        level[begin:] += rng.normal(0, 0.5)
    return level + rng.normal(0, 0.12) * np.arange(days) / YEAR_D


def _answers(rng: np.random.Generator, shop: Shop, known: dict[str, np.ndarray], days: int) -> np.ndarray:
    """What the known causes do, each good a little unlike its shop's others."""
    effect = np.zeros(days)
    for name in ("holiday", "holiday_next2d", "school_holiday", "event"):
        effect += shop.responses[name] * rng.normal(1, 0.5) * known[name][:days]
    temp, rain = known["temp"][:days], np.log1p(known["precip"][:days])
    warmth = shop.responses["temp"] * rng.normal(1, 1) if rng.random() < 0.7 else 0.0
    effect += warmth * (temp - temp.mean()) / 5 + shop.responses["precip"] * rng.normal(1, 0.7) * rain
    uplift = max(rng.normal(0.5, 0.4), -0.1)
    promo = known["promo"][:days]
    after = np.zeros(days)
    after[7:] = promo[:-7] * (promo[7:] == 0)
    elastic = rng.uniform(0, 2.5)
    return effect + uplift * promo - 0.15 * uplift * after - elastic * np.log(known["price_rel"][:days])


def _listed(rng: np.random.Generator, days: int) -> np.ndarray:
    """1 while the shop has the good: some come later, some go for weeks."""
    listed = np.ones(days)
    if rng.random() < 0.25:
        listed[: int(rng.integers(0, max(days - 60, 1)))] = 0.0
    if rng.random() < 0.15:
        begin = int(rng.integers(0, days))
        listed[begin : begin + int(rng.integers(7, 60))] = 0.0
    return listed


def _drawn(rng: np.random.Generator, kind: Kind, mean: np.ndarray) -> np.ndarray:
    """Counts with more spread than Poisson, whole customers for small goods, now and then one who buys for a party."""
    dispersion = kind.noise * np.exp(rng.normal(0, 0.5))
    rate = mean * rng.gamma(1 / dispersion**2, dispersion**2, len(mean))
    basket = rng.choice([1.0, 1.0, 1.5, 3.0])
    customers = rng.poisson(rate / basket)
    sold = customers + rng.poisson(customers * (basket - 1.0)) if basket > 1 else customers
    sold = sold.astype(float)
    big = rng.random(len(mean)) < rng.choice([0.0, 0.0, 0.003, 0.01])
    sold += np.where(big, rng.poisson(mean * rng.uniform(1, 6) + 1), 0)
    if rng.random() < kind.money:
        price = np.exp(rng.normal(0.6, 0.7))
        sold = sold * price * rng.gamma(60, 1 / 60, len(mean))
    return sold


def _ar1(rng: np.random.Generator, count: int, keep: float, deviation: float) -> np.ndarray:
    """First-order autoregression of the given standard deviation."""
    steps = rng.normal(0, deviation * np.sqrt(1 - keep**2), count)
    found = np.empty(count)
    last = rng.normal(0, deviation)
    for number, step in enumerate(steps):
        last = keep * last + step
        found[number] = last
    return found


def _day_of_year(first: date, total: int) -> np.ndarray:
    days = np.datetime64(first, "D") + np.arange(total)
    return (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) + 1
