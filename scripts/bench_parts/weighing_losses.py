"""weighing --act losses: what leaks, dries, is sold by weight, or moves with the temperature.

The same shelves, people and scales as in weighing_world.py, and on top of each something slow:

* Leaks: from some hour on a third of the smallest stock of the day runs out at 3 to 30 times the rate at which the
  agent lets a scale drift (0.2 % of full scale an hour): at night while nobody comes, and by day among customers.
  As many run out at 0.2 to 0.6 of that rate: nobody can tell them from drift, and they are here to say so.
* Bursts: at night, the door shut and known to be, 5 to 40 % of the stock is gone from one reading to the next.
* Drying: every gram loses 1 to 5 % a day; the configuration says what the product loses at most, 1 to 2 times that.
  Picks take pieces as dry as the average. Judged is the water told in the day, against the water lost.
* Catch weight: no piece is known to the agent, and every gram counts.
* Temperature: the shelves of the long bench which sit in cold air, weighed without compensation, with it and a sensor
  at the cells, and with it and a sensor in the air, which the cells follow half an hour late. Stock is known by steps,
  so temperature shows in what is tracked as drift, and hardly in the balance.

A pick or a restock that nobody made is false in all of them.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from chaos_parts.figures import Figure

from bench_parts.weighing_agent import agent, settings_of
from bench_parts.weighing_judge import Movement, Published, Rules, Run, at_rest, judged
from bench_parts.weighing_world import HOUR_S, ShelfDay, Touch, shelf_day
from edge_agent.domain.product import Product
from edge_agent.weighing.settings import ShelfSettings

LEAKS, DAY_LEAKS, SLOW_LEAKS = "leak at night", "leak among customers", "slow leak at night"
BURSTS, DRYING, BY_GRAMS = "burst", "drying", "catch weight"
NIGHT_H = 7.5  # before anybody comes
PLAIN, AT_CELLS, IN_AIR = "no compensation", "a sensor at the cells", "a sensor in the air"
LEAKING = (0, 3, 6, 9, 14, 17)  # sachets to juice
PERISHABLE = (3, 7, 11, 13, 16, 18)  # eggs, apples, lettuce, loaves, chickens, potatoes
TEMPERED = (1, 6, 8, 12)
CELLS_LAG_S = 1800.0
TOLD_OF_A_LEAK = 0.5  # of what ran out: less is not found


@dataclass(frozen=True, slots=True)
class Job:
    act: str
    index: int
    seed: int
    hours: float


@dataclass(frozen=True, slots=True)
class Act:
    """One shelf with something slow on it."""

    day: ShelfDay
    lost_g: np.ndarray  # by the end of each second; negative
    product: Product
    is_compensated: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    job: Job
    days: float
    lost_g: float  # truly
    told_g: float  # as what it was
    late_s: float  # from its begin to the first word of it; nan: none
    found: int
    missed: int
    false: tuple[str, ...]
    counted: int  # events that claimed a number of pieces
    within: int  # moments at rest with the truth within k = 2 of the balance's uncertainty
    moments: int
    off2: float  # sum of (error / stated uncertainty) squared
    off_g2: float  # sum of the errors squared
    tracked_g: float  # largest drift that was told


def measure(seeds: Sequence[int], say: Callable[[str], None], *, is_quick: bool) -> list[Figure]:
    jobs = [job for seed in seeds for job in _jobs(seed, is_quick=is_quick)]
    say(f"weighing: {len(jobs)} shelves with something slow on them, seeds {', '.join(map(str, seeds))}")
    outcomes: dict[str, list[Outcome]] = {}
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=8) as pool:
        for one in pool.imap(outcome, jobs):
            outcomes.setdefault(one.job.act, []).append(one)
            say(f"weighing: {one.job.act}, shelf {one.job.index}: {one.lost_g:.0f} g lost, {one.told_g:.0f} g told")
    return [figure for act, some in outcomes.items() for figure in _figures(act, some)]


def _jobs(seed: int, *, is_quick: bool) -> list[Job]:
    upto, hours = (2, 12.0) if is_quick else (None, 24.0)
    acts = {
        **dict.fromkeys((LEAKS, SLOW_LEAKS, BURSTS), (LEAKING, NIGHT_H)),
        DAY_LEAKS: (LEAKING, 12.0),
        **dict.fromkeys((DRYING, BY_GRAMS), (PERISHABLE, hours)),
        **dict.fromkeys((PLAIN, AT_CELLS, IN_AIR), (TEMPERED, hours)),
    }
    return [
        Job(act, index, seed, lasts)
        for act, (indices, lasts) in acts.items()
        for index in (indices if lasts == NIGHT_H else indices[:upto])
    ]


def outcome(job: Job) -> Outcome:
    act = act_of(job)
    shelf, _ = settings_of(act.day)
    run = agent(act.day, configured=(replace(shelf, compensate_temperature=act.is_compensated), act.product))
    return judged_act(job, act, run)


# --- the acts -------------------------------------------------------------------------------------------------------


def act_of(job: Job) -> Act:
    day = _night(job) if job.hours == NIGHT_H else shelf_day(job.index, job.seed, hours=job.hours)
    rng = np.random.default_rng((job.seed, job.index, 3))
    goods = day.physics.goods
    product = Product("4006381333931", goods.name, piece_g=goods.piece_g)
    nothing_g = np.zeros(len(day.door_open))
    if job.act in (LEAKS, DAY_LEAKS, SLOW_LEAKS):
        return _with_loss(day, _leak_g(day, rng, settings_of(day)[0], is_slow=job.act == SLOW_LEAKS), product)
    if job.act == BURSTS:
        at_s, lost_g = int(rng.uniform(2, 6) * HOUR_S), -rng.uniform(0.05, 0.4) * float(_stock_g(day).min())
        shown_g = day.gross_g + np.where(day.mono_ms >= 1000 * at_s, lost_g, 0.0)
        day = replace(day, physics=replace(day.physics, knows_door=True), gross_g=shown_g)
        return Act(day, np.where(np.arange(len(nothing_g)) >= at_s, lost_g, 0.0), product)
    if job.act == DRYING:
        a_day = rng.uniform(0.01, 0.05)
        day, lost_g = _dried(day, a_day)
        most = replace(product, loss_pct_per_day=100 * a_day * rng.uniform(1, 2))
        return _with_loss(day, lost_g, most)
    if job.act == BY_GRAMS:
        return Act(day, nothing_g, replace(product, piece_g=None, is_catch_weight=True))
    at_c = _lagging_c(day.temperature_c) if job.act == AT_CELLS else day.temperature_c
    day = replace(day, physics=replace(day.physics, knows_temperature=True), temperature_c=at_c)
    return Act(day, nothing_g, product, is_compensated=job.act != PLAIN)


def _night(job: Job) -> ShelfDay:
    """The first hours of a whole day, from midnight."""
    day = shelf_day(job.index, job.seed)
    samples, seconds = int(np.searchsorted(day.mono_ms, 1000 * job.hours * HOUR_S)), int(job.hours * HOUR_S)
    return replace(
        day,
        mono_ms=day.mono_ms[:samples],
        gross_g=day.gross_g[:samples],
        door_open=day.door_open[:seconds],
        temperature_c=day.temperature_c[:seconds],
        touches=tuple(touch for touch in day.touches if touch.end_s < seconds),
    )


def _with_loss(day: ShelfDay, lost_g: np.ndarray, product: Product) -> Act:
    seconds = _start_s(day) + 1 + np.arange(len(lost_g))
    return Act(replace(day, gross_g=day.gross_g + np.interp(day.mono_ms / 1000, seconds, lost_g)), lost_g, product)


def _start_s(day: ShelfDay) -> float:
    return float(day.mono_ms[0] // 1000)


def _stock_g(day: ShelfDay) -> np.ndarray:
    """Of the pieces on the shelf, at the end of each second."""
    stock_g = np.full(len(day.door_open), day.start_g)
    for touch in day.touches:
        if touch.kind not in ("removal", "return"):
            stock_g[max(0, int(touch.end_s - _start_s(day))) :] += touch.delta_g
    return stock_g


def _leak_g(day: ShelfDay, rng: np.random.Generator, shelf: ShelfSettings, *, is_slow: bool) -> np.ndarray:
    most_g = float(_stock_g(day).min()) / 3
    low, high = (0.2, 0.6) if is_slow else (3.0, 30.0)
    g_per_s = shelf.drift_limit_g_per_h / HOUR_S * np.exp(rng.uniform(np.log(low), np.log(high)))
    begins_s = rng.uniform(1, 4) * HOUR_S
    after_s = np.arange(1.0, len(day.door_open) + 1) - begins_s
    return -np.clip(after_s * g_per_s, 0, most_g)


def _dried(day: ShelfDay, a_day: float) -> tuple[ShelfDay, np.ndarray]:
    """Every gram dries alike; who takes something takes of the average dryness."""
    start_s = _start_s(day)
    keep = np.exp(np.log(1 - a_day) / 86_400)
    wet_g = dry_g = day.start_g
    dry_all_g = np.empty(len(day.door_open))
    touches: list[Touch] = []
    upto = 0
    for touch in day.touches:
        second = min(len(dry_all_g), max(upto, int(touch.end_s - start_s)))
        dry_all_g[upto:second] = dry_g * keep ** np.arange(1, second - upto + 1) - wet_g
        dry_g, upto = dry_g * keep ** (second - upto), second
        if touch.kind in ("removal", "return"):
            touches.append(touch)
            continue
        share = dry_g / wet_g if touch.delta_g < 0 and wet_g > 0 else 1.0
        wet_g += touch.delta_g
        dry_g += touch.delta_g * share
        touches.append(replace(touch, delta_g=touch.delta_g * share))
    dry_all_g[upto:] = dry_g * keep ** np.arange(1, len(dry_all_g) - upto + 1) - wet_g
    return replace(day, touches=tuple(touches)), dry_all_g


def _lagging_c(air_c: np.ndarray) -> np.ndarray:
    """Of the cells: first order, as in the world."""
    share, cell_c, cells_c = 1 - np.exp(-10 / CELLS_LAG_S), float(air_c[:3600].mean()), []
    for value in air_c[::10].tolist():
        cell_c += (value - cell_c) * share
        cells_c.append(cell_c)
    return np.interp(np.arange(len(air_c)), np.arange(len(cells_c)) * 10, cells_c)


# --- the judge ------------------------------------------------------------------------------------------------------

TOLD_AS = {**dict.fromkeys((LEAKS, DAY_LEAKS, SLOW_LEAKS, BURSTS), "damage"), DRYING: "water-loss"}


def judged_act(job: Job, act: Act, run: Run) -> Outcome:
    day = act.day
    kind = TOLD_AS.get(job.act)
    told = [event for event in run.published if event.kind == kind]
    rest = [event for event in run.published if event.kind != kind]
    touches = [_movement(touch) for touch in day.touches]
    verdict = judged(touches, rest, Rules.of_pieces(day.physics.goods.piece_g), day.start_units, day.shaken)
    lost_g = act.lost_g - act.lost_g[0]
    begins_s = _start_s(day) + float(np.argmax(lost_g < 0)) if lost_g.min() < 0 else float("nan")
    moments = _moments(act, run, touches)
    return Outcome(
        job,
        days=len(lost_g) / 86_400,
        lost_g=_lost_g(job, lost_g, day.touches),
        told_g=sum(event.delta_g for event in told),
        late_s=min((event.published_s - begins_s for event in told), default=float("nan")),
        found=len(verdict.found),
        missed=len(verdict.missed),
        false=tuple(event.kind for event in (*verdict.false, *verdict.groundless)),
        counted=sum(event.units is not None for event in run.published if _is_moved(event)),
        within=sum(abs(off_g) <= 2 * u_g for off_g, u_g in moments),
        moments=len(moments),
        off2=sum((off_g / u_g) ** 2 for off_g, u_g in moments if u_g),
        off_g2=sum(off_g**2 for off_g, _ in moments),
        tracked_g=run.tracked_g,
    )


def _movement(touch: Touch) -> Movement:
    kind = "touch" if touch.kind == "lean" else touch.kind
    return Movement(touch.start_s, touch.end_s, touch.delta_g, touch.units, kind, touch.step_g)


def _is_moved(event: Published) -> bool:
    return event.kind in ("pick", "restock")


def _lost_g(job: Job, lost_g: np.ndarray, touches: Sequence[Touch]) -> float:
    """All that was lost; of what dries, not what those took away who took dry pieces."""
    if job.act != DRYING:
        return float(lost_g[-1])
    steps = np.diff(lost_g)
    return float(steps[steps < 0].sum())


def _moments(act: Act, run: Run, touches: Sequence[Movement]) -> list[tuple[float, float]]:
    """Every ten seconds of rest: (error, stated uncertainty)."""
    day, start_s = act.day, int(_start_s(act.day))
    seconds = len(act.lost_g)
    rest = at_rest(touches, seconds, start_s)
    true_g, changes, found = day.start_g, list(touches), []
    for second in range(start_s + 60, start_s + seconds, 10):
        while changes and changes[0].end_s < second:
            true_g += changes.pop(0).delta_g
        net_g, u_g = run.balances.get(second, (None, None))
        if rest[second - start_s - 1] and net_g is not None and u_g is not None:
            found.append((net_g - true_g - float(act.lost_g[second - start_s - 1]), u_g))
    return found


def _figures(act: str, some: Sequence[Outcome]) -> list[Figure]:
    days = sum(one.days for one in some)
    false = [kind for one in some for kind in one.false]
    found, true = sum(one.found for one in some), sum(one.found + one.missed for one in some)
    moments = sum(one.moments for one in some)
    of_all = f"{act}: {len(some)} shelves, {days:.0f} days"
    figures = [
        *_told_figures(act, some),
        *([Figure(f"{of_all}: recall of {true:,} movements", _share(found, true), "%", ">= 99")] if true else []),
        Figure(f"{act}: false events per shelf and day", round(len(false) / days, 3), "", "<= 0.1"),
        Figure(f"{act}: balance within k = 2 of its uncertainty, of {moments:,} moments at rest",
               _share(sum(one.within for one in some), moments), "%", ">= 95"),
        Figure(f"{act}: error of the balance, root mean square",
               round((sum(one.off_g2 for one in some) / moments) ** 0.5, 2), "g"),
        Figure(f"{act}: the same in stated standard uncertainties",
               round((sum(one.off2 for one in some) / moments) ** 0.5, 2)),
    ]  # fmt: skip
    figures += [Figure(f"{act}: false: {kind}", false.count(kind), "events") for kind in sorted(set(false))]
    if act in (PLAIN, AT_CELLS, IN_AIR):
        figures.append(Figure(f"{act}: most drift tracked", round(max(one.tracked_g for one in some), 1), "g"))
    if act == BY_GRAMS:
        counted = sum(one.counted for one in some)
        figures.append(Figure(f"{act}: movements told with a number of pieces", counted, "events", "0"))
    return figures


def _told_figures(act: str, some: Sequence[Outcome]) -> list[Figure]:
    if act == DRYING:
        shares = [100 * one.told_g / one.lost_g for one in some if one.lost_g]
        return [
            Figure("drying: water told, of the water lost, all shelves",
                   _share(sum(one.told_g for one in some), sum(one.lost_g for one in some)), "%"),
            Figure("drying: the same, least of one shelf", round(min(shares), 1), "%"),
            Figure("drying: the same, most of one shelf", round(max(shares), 1), "%"),
        ]  # fmt: skip
    if act not in TOLD_AS:
        return []
    found = [one for one in some if one.told_g <= TOLD_OF_A_LEAK * one.lost_g]
    late_s = sorted(one.late_s for one in found)
    figures = [Figure(f"{act}: told as damage, half of it or more", f"{len(found)} of {len(some)}")]
    if found:
        told, lost = sum(one.told_g for one in found), sum(one.lost_g for one in found)
        figures.append(Figure(f"{act}: of those, grams told of the grams lost", _share(told, lost), "%"))
        figures.append(Figure(f"{act}: from its begin to the first word, slowest", round(late_s[-1] / 60, 1), "min"))
    return figures


def _share(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole else float("nan")
