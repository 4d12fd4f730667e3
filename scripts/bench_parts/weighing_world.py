"""The simulated shelves of `scripts/bench weighing`: what really lies there, and what the scale shows of it.

Nothing here is known to the agent, which is told the product's nominal piece weight, the platform's capacity and the
tare, as a shop would. What the world is made of, and why:

* Goods: 20, from 15 g to 5 kg a piece. Pieces vary by 0.5 to 5 % (standard deviation) around the mean of their
  delivery, which differs from the nominal weight by 0.5 to 3 % (standard deviation).
* Platforms of 30, 60, 120 or 200 kg, loaded to three quarters at most: what is sold to put below a shelf.
* Noise of one reading: white; 1 % to 10 % of a piece, spread evenly over the shelves (lessons.md 23).
* Spikes: 1 % of the readings, each alone, from 5 sigma to half of full scale, either way (lessons.md 20).
* Creep: 50 to 245 ppm of the load, exponentially with 5 to 10 min, so that the rest after 30 min is below 5 %, and
  back the same way (OIML R60, class C3: 245 ppm in 30 min, 167 ppm return of zero).
* Drift of zero: -20 to +20 g/h, constant on half of the shelves, wandering on the others (correlation 2 h).
* Temperature: daily swing, the cooler's cycle, warm air after a door; the cells follow with 30 min. Zero 20 to
  100 ppm/K of full scale (0.02 to 0.1 % per 10 K are the data sheets of bar cells), span 5 to 30 ppm/K.
* Doors: a gust of 0.2 to 1.5 Pa on the platform's area for 0.5 to 2 s; half of the shelves know of the door.
* Vibration: a force of load times acceleration. Compressor: 2e-5 to 2e-4 g for minutes, between 0.5 and 5 Hz as
  sampled; lorries: five times that for 3 to 10 s.
* Hands: 0.3 to 3 s of forces of 0.2 to 3 kg (at most 40 % of full scale, as small platforms are touched more
  lightly), either way, before the new level; one visit in five is a clean step without. The platform rings for 0.1
  to 0.3 s.
* Elbows: a part of the body's weight, 1 to 8 kg, for 5 to 30 s; it shifts by a quarter every half second.
* Visits: opening hours 8 to 20; 10 to 60 s apart for three and a half busy hours, otherwise four minutes on average;
  nights with drift and compressor alone. One piece, several at once, one after the other, put back, touched and back,
  an elbow for 5 to 30 s, an elbow and a piece, two people at once, deliveries by the crate or by the handful, the
  container carried away with all in it and back, with fewer pieces now and then.

Not in this world: foreign things laid on the shelf (no scale could know them for what they are), goods that dry.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

DAY_S = 86_400.0
RATE_HZ = 10.0
HOUR_S = 3600.0
OPEN_S, CLOSED_S = 8 * HOUR_S, 20 * HOUR_S
BUSY_S = ((8.5 * HOUR_S, 9.5 * HOUR_S), (12 * HOUR_S, 13 * HOUR_S), (17 * HOUR_S, 18.5 * HOUR_S))
SPIKE_SHARE = 0.01
GRAMS_PER_NEWTON = 102.0
HANDS_G, ELBOW_G = (200.0, 3000.0), (1000.0, 8000.0)
PLATFORMS_G = (30_000.0, 60_000.0, 120_000.0, 200_000.0)
PATIENCE_S = 30.0
INSIDE_S = 300.0  # before a visit the door was opened no longer ago
LOW_SHARE = 0.35  # of a full shelf: below it somebody brings more


@dataclass(frozen=True, slots=True)
class Goods:
    name: str
    piece_g: float  # as printed on the pack: all that the agent is told
    piece_sd: float  # relative, from piece to piece of one delivery
    delivery_sd: float  # relative, of a delivery's mean against the nominal weight
    full: int  # pieces on a full shelf


GOODS = (
    Goods("sachet", 15, 0.01, 0.01, 200),
    Goods("bar", 25, 0.01, 0.01, 150),
    Goods("stick", 40, 0.015, 0.01, 150),
    Goods("egg", 60, 0.05, 0.03, 90),
    Goods("bar-100", 100, 0.005, 0.005, 120),
    Goods("cup", 125, 0.01, 0.01, 100),
    Goods("pouch", 150, 0.015, 0.015, 90),
    Goods("apple", 180, 0.05, 0.03, 80),
    Goods("butter", 250, 0.005, 0.005, 80),
    Goods("bag-330", 330, 0.02, 0.01, 70),
    Goods("jar", 420, 0.02, 0.02, 60),
    Goods("lettuce", 480, 0.05, 0.03, 40),
    Goods("pasta", 500, 0.01, 0.01, 60),
    Goods("loaf", 750, 0.03, 0.02, 40),
    Goods("milk", 1_030, 0.005, 0.005, 60),
    Goods("bottle", 1_250, 0.015, 0.01, 45),
    Goods("chicken", 1_400, 0.05, 0.03, 30),
    Goods("juice", 2_080, 0.01, 0.01, 36),
    Goods("potatoes", 2_550, 0.03, 0.02, 30),
    Goods("rice", 5_000, 0.005, 0.005, 24),
)


@dataclass(frozen=True, slots=True)
class Touch:
    """One stretch of hands on the shelf, and what it left behind."""

    start_s: float
    end_s: float
    kind: str  # "pick", "restock", "touch", "lean", "removal", "return", "outage"
    delta_g: float = 0.0  # of the stock
    units: int = 0  # signed
    platform_g: float | None = None  # what the platform gains or loses, where that is more than the stock
    is_clean: bool = False  # no forces but the step

    @property
    def step_g(self) -> float:
        return self.delta_g if self.platform_g is None else self.platform_g


@dataclass(frozen=True, slots=True)
class Physics:
    """One shelf's scale."""

    goods: Goods
    noise_g: float
    capacity_g: float
    container_g: float
    creep_ppm: float
    creep_s: float
    drift_g_per_h: float
    is_wandering: bool
    zero_ppm_per_k: float  # of full scale
    span_ppm_per_k: float
    vibration_g: float  # acceleration of the compressor, in g
    is_cold: bool  # a cooler's air around it
    knows_door: bool
    knows_temperature: bool
    rate_error: float  # of the converter's clock


@dataclass(frozen=True, slots=True)
class ShelfDay:
    """What the agent may see of one day, and the truth."""

    name: str
    physics: Physics
    mono_ms: np.ndarray  # int64
    gross_g: np.ndarray  # as calibrated, before any filter
    door_open: np.ndarray  # bool, one a second
    temperature_c: np.ndarray  # of the air, one a second
    touches: tuple[Touch, ...]
    shaken: tuple[tuple[float, float], ...]  # gusts and lorries: not stock, but felt
    start_g: float  # stock at the start, net
    start_units: int


def physics_of(index: int, rng: np.random.Generator) -> Physics:
    """Noise is spread evenly over the shelves: 1, 2, ... 10 % of a piece."""
    goods = GOODS[index % len(GOODS)]
    share = ((7 * index + 5 * (index // len(GOODS))) % 10 + 1) / 100
    load_g = goods.full * goods.piece_g
    container_g = 0.06 * load_g
    return Physics(
        goods=goods,
        noise_g=share * goods.piece_g,
        capacity_g=next(size_g for size_g in PLATFORMS_G if size_g >= 1.35 * (load_g + container_g)),
        container_g=container_g,
        creep_ppm=rng.uniform(50, 245),
        creep_s=rng.uniform(300, 600),
        drift_g_per_h=rng.uniform(-20, 20),
        is_wandering=bool(index % 2),
        zero_ppm_per_k=rng.choice((-1, 1)) * rng.uniform(20, 100),
        span_ppm_per_k=rng.choice((-1, 1)) * rng.uniform(5, 30),
        vibration_g=10 ** rng.uniform(np.log10(2e-5), np.log10(2e-4)),
        is_cold=bool(rng.random() < 0.6),
        knows_door=bool(rng.random() < 0.5),
        knows_temperature=bool(rng.random() < 0.5),
        rate_error=rng.uniform(-0.01, 0.01),
    )


def shelf_day(index: int, seed: int, *, hours: float = 24.0) -> ShelfDay:
    """Shelf ``index`` for the first ``hours`` of a day that starts at 6 h when it is shorter than a day."""
    rng = np.random.default_rng((seed, index))
    physics = physics_of(index, rng)
    start_s = 0.0 if hours >= 24 else min(OPEN_S - 600, DAY_S - hours * HOUR_S)
    end_s = start_s + hours * HOUR_S
    touches, start_g, start_units = _people(physics, rng, start_s, end_s)
    return _measured(f"shelf-{index:02d}", physics, rng, touches, start_g, start_units, (start_s, end_s))


def drifting_day(index: int, seed: int, drift_g_per_h: float) -> ShelfDay:
    """Nobody comes: 24 h of drift, noise, spikes; the stock lies there."""
    rng = np.random.default_rng((seed, index, 1))
    drawn = physics_of(index, rng)
    still = {"creep_ppm": 0.0, "zero_ppm_per_k": 0.0, "span_ppm_per_k": 0.0, "vibration_g": 0.0, "is_cold": False}
    kept = {name: getattr(drawn, name) for name in Physics.__slots__}
    physics = Physics(**(kept | still | {"drift_g_per_h": drift_g_per_h, "is_wandering": False}))
    units = physics.goods.full // 2
    stock_g = float(_pieces(physics.goods, units, rng).sum())
    return _measured(f"drift-{index:02d}", physics, rng, (), stock_g, units, (0.0, DAY_S), is_still=True)


# --- people -------------------------------------------------------------------------------------------------------


def _pieces(goods: Goods, count: int, rng: np.random.Generator) -> np.ndarray:
    """One delivery: its own mean, and pieces around it, g."""
    mean_g = goods.piece_g * rng.normal(1, goods.delivery_sd)
    return mean_g * np.maximum(rng.normal(1, goods.piece_sd, count), 0.5)


class _Stock:
    """The very pieces on the shelf; those taken first are the oldest, more or less."""

    def __init__(self, goods: Goods, rng: np.random.Generator) -> None:
        self.goods, self.rng = goods, rng
        self.pieces: list[float] = []
        self.taken_g = goods.piece_g

    def bring(self, count: int) -> float:
        fresh = _pieces(self.goods, count, self.rng)
        self.pieces.extend(fresh.tolist())
        return float(fresh.sum())

    def take(self, count: int) -> float:
        total_g = 0.0
        for _ in range(count):
            self.taken_g = self.pieces.pop(int(self.rng.integers(max(1, len(self.pieces) // 3))))
            total_g += self.taken_g
        return total_g

    def put_back(self) -> float:
        self.pieces.append(self.taken_g)
        return self.taken_g

    @property
    def net_g(self) -> float:
        return float(sum(self.pieces))


def _people(
    physics: Physics, rng: np.random.Generator, start_s: float, end_s: float
) -> tuple[tuple[Touch, ...], float, int]:
    goods = physics.goods
    stock = _Stock(goods, rng)
    start_units = int(rng.integers(goods.full // 2, goods.full))
    start_g = stock.bring(start_units // 2) + stock.bring(start_units - start_units // 2)
    touches: list[Touch] = []
    away_at = sorted(rng.uniform(OPEN_S + 600, CLOSED_S - 600, int(rng.integers(1, 4))))
    free_s = 0.0
    for arrival_s in _arrivals(rng):
        at_s = arrival_s
        if at_s < free_s:  # somebody waits a little, or goes away while the container is being filled
            if free_s - at_s > PATIENCE_S:
                continue
            at_s = free_s + rng.uniform(0.5, 5)
        if not start_s + 120 <= at_s <= end_s - 600:
            continue
        if away_at and at_s > away_at[0]:
            away_at.pop(0)
            visit = _carried_away(physics, stock, rng, at_s)
        elif len(stock.pieces) < LOW_SHARE * goods.full:
            visit = _delivery(stock, rng, at_s)
        else:
            visit = _visit(stock, rng, at_s)
        touches += visit
        free_s = max(touch.end_s for touch in visit)
    return tuple(sorted(touches, key=lambda touch: touch.start_s)), start_g, start_units


def _arrivals(rng: np.random.Generator) -> Iterator[float]:
    at_s = OPEN_S
    while at_s < CLOSED_S:
        is_busy = any(start <= at_s < end for start, end in BUSY_S)
        at_s += rng.uniform(10, 60) if is_busy else 5 + rng.exponential(235)
        yield at_s


def _hands_s(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.3, 3.0))


def _pick(stock: _Stock, rng: np.random.Generator, at_s: float, count: int) -> Touch:
    is_clean = bool(rng.random() < 0.2)
    count = min(count, len(stock.pieces))
    lasts_s = 0.2 if is_clean else _hands_s(rng)
    return Touch(at_s, at_s + lasts_s, "pick", -stock.take(count), -count, is_clean=is_clean)


def _visit(stock: _Stock, rng: np.random.Generator, at_s: float) -> list[Touch]:
    kind = rng.choice(9, p=(0.55, 0.13, 0.08, 0.05, 0.07, 0.04, 0.02, 0.04, 0.02))
    if kind == 0:
        return [_pick(stock, rng, at_s, 1)]
    if kind == 1:
        return [_pick(stock, rng, at_s, int(rng.integers(2, 7)))]
    if kind == 2:  # one, and another a little later
        first = _pick(stock, rng, at_s, 1)
        return [first, _pick(stock, rng, first.end_s + rng.uniform(0.8, 6), 1)]
    if kind == 3:
        back_g = stock.put_back()
        return [Touch(at_s, at_s + _hands_s(rng), "restock", back_g, 1)]
    if kind == 4:
        return [Touch(at_s, at_s + _hands_s(rng), "touch")]
    if kind == 5:
        return [Touch(at_s, at_s + rng.uniform(5, 30), "lean")]
    if kind == 6:
        lean = Touch(at_s, at_s + rng.uniform(5, 30), "lean")
        return [lean, _pick(stock, rng, rng.uniform(at_s + 1, lean.end_s), 1)]
    if kind == 7:  # two people
        first = _pick(stock, rng, at_s, int(rng.integers(1, 3)))
        return [first, _pick(stock, rng, at_s + rng.uniform(0, 5), int(rng.integers(1, 3)))]
    taken = _pick(stock, rng, at_s, 1)  # looked at, and put back
    back_s = taken.end_s + rng.uniform(0.5, 8)
    return [taken, Touch(back_s, back_s + _hands_s(rng), "restock", stock.put_back(), 1)]


def _delivery(stock: _Stock, rng: np.random.Generator, at_s: float) -> list[Touch]:
    room = stock.goods.full - len(stock.pieces)
    count = int(rng.integers(max(2, room // 2), room + 1))
    if rng.random() < 0.6:
        return [Touch(at_s, at_s + rng.uniform(1, 4), "restock", stock.bring(count), count)]
    fresh = _pieces(stock.goods, count, rng)
    stock.pieces.extend(fresh.tolist())
    touches, placed = [], 0
    handfuls = int(rng.integers(3, 11))
    for _ in range(handfuls):
        some = min(max(1, count // handfuls), count - placed)
        if some:
            until_s = at_s + _hands_s(rng)
            touches.append(Touch(at_s, until_s, "restock", float(fresh[placed : placed + some].sum()), some))
            at_s, placed = until_s + rng.uniform(0.8, 6), placed + some
    if placed < count:
        rest_g = float(fresh[placed:].sum())
        touches.append(Touch(at_s, at_s + _hands_s(rng), "restock", rest_g, count - placed))
    return touches


def _carried_away(physics: Physics, stock: _Stock, rng: np.random.Generator, at_s: float) -> list[Touch]:
    """The container goes with all that is in it, and comes back with as much, or with up to three pieces fewer."""
    before_g = stock.net_g
    gone_s = at_s + rng.uniform(0.5, 3)
    back_s = gone_s + rng.uniform(20, 300)
    placed_s = back_s + rng.uniform(0.5, 3)
    platform_g = before_g + physics.container_g
    visit = [
        Touch(at_s, gone_s, "removal", -before_g, platform_g=-platform_g),
        Touch(back_s, placed_s, "return", before_g, platform_g=platform_g),
    ]
    if rng.random() < 0.3:
        taken = int(rng.integers(1, 4))
        visit.append(Touch(placed_s, placed_s, "pick", -stock.take(taken), -taken))
    return visit


# --- what the scale shows -----------------------------------------------------------------------------------------


def _measured(
    name: str,
    physics: Physics,
    rng: np.random.Generator,
    touches: tuple[Touch, ...],
    start_g: float,
    start_units: int,
    span_s: tuple[float, float],
    *,
    is_still: bool = False,
) -> ShelfDay:
    start_s, end_s = span_s
    period_s = (1 + physics.rate_error) / RATE_HZ
    time_s = np.arange(start_s, end_s, period_s)
    seconds = np.arange(start_s, end_s, 1.0)
    load_g = physics.container_g + start_g
    steps = [(touch, touch.start_s + (touch.end_s - touch.start_s) * _when(rng)) for touch in touches]
    doors = () if is_still else _doors(rng, start_s, end_s, touches)
    air_k = np.zeros(len(seconds)) if is_still else _air(physics, rng, seconds, doors)
    cell_k = _lagging(air_k, 1800.0)
    signal_g = _loaded(physics, rng, time_s, load_g, steps)
    warm_k = np.interp(time_s, seconds, cell_k)
    signal_g *= 1 + physics.span_ppm_per_k * 1e-6 * warm_k
    signal_g += physics.zero_ppm_per_k * 1e-6 * physics.capacity_g * warm_k
    signal_g += _drift(physics, rng, time_s, start_s)
    for touch, _ in steps:
        if not touch.is_clean:
            _push(physics, rng, time_s, signal_g, touch)
    shaken: list[tuple[float, float]] = []
    if not is_still:
        shaken = _shake(physics, rng, time_s, signal_g, load_g, doors, span_s)
    signal_g += rng.normal(0, physics.noise_g, len(time_s))
    _spike(physics, rng, signal_g)
    is_open = np.zeros(len(seconds), bool)
    for opened_s, lasts_s in doors:
        is_open[(seconds >= opened_s) & (seconds < opened_s + lasts_s)] = True
    return ShelfDay(
        name, physics, np.round(time_s * 1000).astype(np.int64), signal_g, is_open,
        air_k + (4.0 if physics.is_cold else 18.0), touches, tuple(shaken), start_g, start_units,
    )  # fmt: skip


def _when(rng: np.random.Generator) -> float:
    """Within the hands' time the load changes somewhere, mostly late."""
    return float(rng.uniform(0.4, 0.95))


def _loaded(
    physics: Physics, rng: np.random.Generator, time_s: np.ndarray, load_g: float, steps: list[tuple[Touch, float]]
) -> np.ndarray:
    """The load, what creep adds to it (exact between two steps), and the platform's ringing after each."""
    signal_g = np.empty(len(time_s))
    creep_g, level_g = load_g * physics.creep_ppm * 1e-6, load_g
    moments = sorted((at_s, touch.step_g) for touch, at_s in steps)
    edges = np.searchsorted(time_s, [at_s for at_s, _ in moments])
    begin, since_s = 0, float(time_s[0])
    for (at_s, step_g), end in zip([*moments, (float("inf"), 0.0)], [*edges, len(time_s)], strict=True):
        target_g = level_g * physics.creep_ppm * 1e-6
        stretch_s = time_s[begin:end] - since_s
        signal_g[begin:end] = level_g + target_g + (creep_g - target_g) * np.exp(-stretch_s / physics.creep_s)
        if end < len(time_s):
            creep_g = target_g + (creep_g - target_g) * np.exp(-(at_s - since_s) / physics.creep_s)
            level_g, since_s, begin = level_g + step_g, at_s, end
    for at_s, step_g in moments:
        here = slice(*np.searchsorted(time_s, (at_s, at_s + 2)))
        after_s = time_s[here] - at_s
        decay_s, hz = rng.uniform(0.1, 0.3), rng.uniform(3, 8)
        signal_g[here] += 0.2 * step_g * np.exp(-after_s / decay_s) * np.cos(2 * np.pi * hz * after_s)
    return signal_g


def _push(physics: Physics, rng: np.random.Generator, time_s: np.ndarray, signal_g: np.ndarray, touch: Touch) -> None:
    """Hands: another force every 0.15 s; an elbow: a load that shifts every half second."""
    here = slice(*np.searchsorted(time_s, (touch.start_s, touch.end_s)))
    at_s = time_s[here]
    if not len(at_s):
        return
    is_elbow = touch.kind == "lean"
    low_g, high_g = ELBOW_G if is_elbow else HANDS_G
    strongest_g = min(10 ** rng.uniform(np.log10(low_g), np.log10(high_g)), 0.4 * physics.capacity_g)
    knots = max(3, int((touch.end_s - touch.start_s) / (0.5 if is_elbow else 0.15)) + 1)
    forces = np.maximum(rng.normal(1, 0.25, knots), 0) if is_elbow else rng.uniform(-0.4, 1.0, knots)
    forces[0] = forces[-1] = 0.0
    signal_g[here] += strongest_g * np.interp(at_s, np.linspace(touch.start_s, touch.end_s, knots), forces)


def _doors(
    rng: np.random.Generator, start_s: float, end_s: float, touches: tuple[Touch, ...]
) -> tuple[tuple[float, float], ...]:
    """(opened, for how long), seconds: nobody touches a shelf who did not come in, and some come for other things."""
    opened = rng.uniform(OPEN_S - 1800, CLOSED_S + 1800, int(rng.integers(20, 80))).tolist()
    last_s = -INSIDE_S
    for touch in touches:
        if touch.start_s - last_s > INSIDE_S:
            last_s = touch.start_s - rng.uniform(5, 20)
            opened.append(last_s)
    return tuple((at_s, float(rng.uniform(5, 40))) for at_s in sorted(opened) if start_s + 60 < at_s < end_s - 60)


def _air(
    physics: Physics, rng: np.random.Generator, seconds: np.ndarray, doors: tuple[tuple[float, float], ...]
) -> np.ndarray:
    """Of the air, K from its mean."""
    air_k = rng.uniform(0.5, 2.0) * np.sin(2 * np.pi * (seconds / DAY_S + rng.random()))
    if physics.is_cold:
        air_k += rng.uniform(0.3, 1.0) * np.sin(2 * np.pi * seconds / rng.uniform(1200, 2400))
    for opened_s, lasts_s in doors:
        first = int(opened_s - seconds[0])
        after_s = seconds[first : first + 1800] - opened_s
        warmer_k = rng.uniform(1, 4) if physics.is_cold else rng.uniform(0, 1)
        rises = np.minimum(np.maximum(after_s, 0) / lasts_s, 1)
        air_k[first : first + 1800] += warmer_k * rises * np.exp(-np.maximum(after_s - lasts_s, 0) / 180)
    return air_k


def _lagging(air_k: np.ndarray, lag_s: float) -> np.ndarray:
    """First order, on a grid of 10 s; settled at the start."""
    coarse = air_k[::10]
    cell_k, cells_k = float(coarse[:360].mean()), []
    share = 1 - np.exp(-10 / lag_s)
    for value in coarse.tolist():
        cell_k += (value - cell_k) * share
        cells_k.append(cell_k)
    lagging_k = np.interp(np.arange(len(air_k)), np.arange(len(coarse)) * 10, cells_k)
    return lagging_k - lagging_k[0]


def _drift(physics: Physics, rng: np.random.Generator, time_s: np.ndarray, start_s: float) -> np.ndarray:
    if not physics.is_wandering:
        return physics.drift_g_per_h / HOUR_S * (time_s - start_s)
    minutes = int((time_s[-1] - start_s) / 60) + 2
    keep = np.exp(-60 / (2 * HOUR_S))
    rate_g_per_h, rates = physics.drift_g_per_h, []
    for push in rng.normal(0, 10 * np.sqrt(1 - keep**2), minutes).tolist():
        rate_g_per_h = min(20.0, max(-20.0, rate_g_per_h * keep + push))
        rates.append(rate_g_per_h)
    drift_g = np.concatenate(([0.0], np.cumsum(rates[:-1]))) / 60
    return np.interp(time_s - start_s, np.arange(minutes) * 60.0, drift_g)


def _shake(
    physics: Physics,
    rng: np.random.Generator,
    time_s: np.ndarray,
    signal_g: np.ndarray,
    load_g: float,
    doors: tuple[tuple[float, float], ...],
    span_s: tuple[float, float],
) -> list[tuple[float, float]]:
    """Gusts, the compressor, lorries. Answers when a gust or a lorry was felt."""
    start_s, end_s = span_s
    felt: list[tuple[float, float]] = []
    area_m2 = 0.06 * np.sqrt(physics.capacity_g / 5000)
    for opened_s, _ in doors:
        lasts_s = rng.uniform(0.5, 2)
        here = slice(*np.searchsorted(time_s, (opened_s, opened_s + lasts_s)))
        gust_g = rng.choice((-1, 1)) * rng.uniform(0.2, 1.5) * area_m2 * GRAMS_PER_NEWTON
        signal_g[here] += gust_g * np.sin(np.pi * (time_s[here] - opened_s) / lasts_s)
        felt.append((opened_s, opened_s + lasts_s))
    moving_g = load_g
    at_s = start_s + rng.uniform(0, 1200)
    hz = rng.uniform(0.5, 5)
    while at_s < end_s:
        until_s = at_s + rng.uniform(360, 720)
        here = slice(*np.searchsorted(time_s, (at_s, until_s)))
        wobble = np.sin(2 * np.pi * hz * (time_s[here] - at_s))
        signal_g[here] += min(physics.vibration_g * moving_g, 5.0) * wobble
        at_s = until_s + rng.uniform(600, 1200)
    for at_s in rng.uniform(5 * HOUR_S, 22 * HOUR_S, int(rng.integers(10, 30))):
        until_s = at_s + rng.uniform(3, 10)
        here = slice(*np.searchsorted(time_s, (at_s, until_s)))
        swell = np.sin(np.pi * (time_s[here] - at_s) / (until_s - at_s))
        wobble = swell * np.sin(2 * np.pi * rng.uniform(1, 4) * (time_s[here] - at_s))
        signal_g[here] += 5 * physics.vibration_g * moving_g * wobble
        felt.append((float(at_s), float(until_s)))
    return felt


def _spike(physics: Physics, rng: np.random.Generator, signal_g: np.ndarray) -> None:
    hit = np.flatnonzero(rng.random(len(signal_g)) < SPIKE_SHARE)
    low, high = np.log10(5 * physics.noise_g), np.log10(0.5 * physics.capacity_g)
    signal_g[hit] += rng.choice((-1.0, 1.0), len(hit)) * 10 ** rng.uniform(low, high, len(hit))
