"""weighing: simulated shelves, and a judge who knows what really lay there.

The world is described in weighing_world.py, the judge's rules in weighing_judge.py. Next to the agent, and on the very
same readings, two who do what is usually done: the mean of each second, and a threshold on the raw reading.
Confidences are judged in bins of at least 50 claims: the mean of what was stated must lie within 0.02 of the 95 %
interval (Wilson) of the share that was right. One world has too few doubtful movements to judge them by: pool some.

  scripts/bench weighing                    30 shelf-days at 10 samples/s, and six of drift alone
  scripts/bench weighing --seeds 6,7,8      three worlds one after the other, each told, and all together judged
  scripts/bench weighing --quick            six half days, and one of drift alone
  scripts/bench weighing --act losses       leaks, goods that dry, catch weight, temperature: weighing_losses.py
  scripts/bench weighing --restarts         with a power cut of 20 to 60 s every two to six hours
  scripts/bench weighing --stages           three quarter days for each stage that is taken out, to see what it is worth
  scripts/bench weighing --shelf 7 --plot D shelf 7 alone, and pictures of what went wrong
"""

import argparse
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from chaos_parts.figures import Figure

from bench_parts import weighing_losses, weighing_naive
from bench_parts.weighing_agent import ALL, STAGES, agent
from bench_parts.weighing_judge import (
    SAFE,
    Bin,
    Movement,
    Published,
    Rules,
    Run,
    Verdict,
    at_rest,
    binned,
    judged,
    quantile,
)
from bench_parts.weighing_pictures import drawing
from bench_parts.weighing_world import ShelfDay, Touch, drifting_day, shelf_day

SHELF_DAYS = 30
QUICK_SHELVES, QUICK_HOURS = (0, 3, 6, 9, 12, 15), 12.0
STAGE_SHELVES, STAGE_HOURS = (0, 6, 15), 6.0
DRIFTING = (0, 4, 8, 11, 15, 19)  # from the lightest goods to the heaviest
DRIFT_G_PER_H = 20.0
ANONYMOUS = ("removal", "return")  # movements of which no number of pieces is asked
LATEST_S = 4.0
AGENT, MEANS, THRESHOLD = "agent", "1 s means", "threshold"


@dataclass(slots=True)
class Tally:
    """How one follower fared on one shelf and day."""

    shelf: str
    verdict: Verdict
    days: float
    samples: int
    writes: int = 0
    written_bytes: int = 0
    claims: list[tuple[float, bool]] = field(default_factory=list)  # (confidence, right): of the pieces moved
    counts: list[tuple[float, bool]] = field(default_factory=list)  # of the pieces that lie there
    balanced: Counter[str] = field(default_factory=Counter)  # "within", "outside", "unknown"
    farthest_pieces: float = 0.0  # of a balance from the truth
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """One shelf for one process."""

    index: int
    seed: int
    hours: float = 24.0
    drift_g_per_h: float | None = None  # and nothing else
    has_restarts: bool = False
    without: str | None = None  # a stage that is taken out
    is_agent_alone: bool = False


@dataclass(slots=True)
class World:
    """How everybody fared in one world, or in several."""

    tallies: dict[str, list[Tally]] = field(default_factory=lambda: {AGENT: [], MEANS: [], THRESHOLD: []})
    drifted: dict[str, list[Tally]] = field(default_factory=lambda: {AGENT: [], MEANS: [], THRESHOLD: []})


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    if args.act == "losses":
        return weighing_losses.measure(args.seeds or (args.seed,), say, is_quick=args.quick)
    if args.stages:
        return _worth(args, say)
    seeds = args.seeds or (args.seed,)
    figures: list[Figure] = []
    pooled = World()
    for seed in seeds:
        world = _world(args, seed, say)
        if len(seeds) > 1:
            figures += _briefly(f"seed {seed}", world)
        for of_all, of_one in ((pooled.tallies, world.tallies), (pooled.drifted, world.drifted)):
            for name, tallies in of_one.items():
                of_all[name] += tallies
    return figures + _world_figures(pooled)


def _world(args: argparse.Namespace, seed: int, say: Callable[[str], None]) -> World:
    indices, hours = (QUICK_SHELVES, QUICK_HOURS) if args.quick else (range(SHELF_DAYS), 24.0)
    if args.shelf is not None:
        indices = (args.shelf,)
    jobs = [Job(index, seed, hours, has_restarts=args.restarts) for index in indices]
    drifting = () if args.shelf is not None else DRIFTING[:1] if args.quick else DRIFTING
    jobs += [Job(n, seed, drift_g_per_h=(-1) ** place * DRIFT_G_PER_H) for place, n in enumerate(drifting)]
    say(f"weighing: {len(jobs)} shelves, seed {seed}")
    world = World()
    for job, found in _done(jobs, say):
        for name, tally in found.items():
            (world.tallies if job.drift_g_per_h is None else world.drifted)[name].append(tally)
    if args.plot:
        pictures = drawing("weighing_plot")
        for job, tally in zip(jobs, world.tallies[AGENT], strict=False):
            pictures.flaws(Path(args.plot), day_of(job), tally.verdict, say)
    return world


def _briefly(name: str, world: World) -> list[Figure]:
    """One world among several: told, and not judged by itself."""
    tallies = world.tallies[AGENT]
    counts = [right for tally in tallies for confidence, right in tally.counts if confidence >= SAFE]
    off = sum(not one.is_right for one in _bins(tallies))
    figures = [
        *_basics(name, tallies, ("", "", "", "")),
        Figure(f"{name}: pieces on the shelf right, of {len(counts):,}", _share(sum(counts), len(counts)), "%"),
        Figure(f"{name}: bins of confidence off by more than 0.02 (and chance)", off, "bins"),
    ]
    drifted = world.drifted[AGENT]
    return [*figures, replace(_drift_figure(name, drifted), goal="")] if drifted else figures


def _world_figures(world: World) -> list[Figure]:
    figures = _agent_figures(world.tallies[AGENT])
    for name in (MEANS, THRESHOLD):
        figures += _naive_figures(name, world.tallies[name])
    for name, some in world.drifted.items():
        if some:
            figures.append(_drift_figure(name, some))
    return figures


def _done(jobs: Sequence[Job], say: Callable[[str], None]) -> Iterable[tuple[Job, dict[str, Tally]]]:
    if len(jobs) == 1:
        yield jobs[0], shelf(jobs[0])
        return
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=8) as pool:
        for job, found in zip(jobs, pool.imap(shelf, jobs), strict=True):
            tally = found[AGENT]
            found_n, true = _found([tally])
            false, cost_us = len(_false([tally])), 1e6 * tally.cpu_s / tally.samples
            say(f"weighing: {tally.shelf}: {found_n} of {true}, {false} false, {cost_us:.1f} µs a reading")
            yield job, found


def shelf(job: Job) -> dict[str, Tally]:
    """One shelf, simulated, followed and judged."""
    day = day_of(job)
    outages = outages_of(job, day)
    runs: dict[str, Run] = {AGENT: agent(day, outages, ALL if job.without is None else STAGES[job.without])}
    if not job.is_agent_alone:
        runs |= {MEANS: weighing_naive.one_second_means(day), THRESHOLD: weighing_naive.raw_threshold(day)}
    return {name: tallied(day, run, outages) for name, run in runs.items()}


def day_of(job: Job) -> ShelfDay:
    if job.drift_g_per_h is not None:
        return drifting_day(job.index, job.seed, job.drift_g_per_h)
    return shelf_day(job.index, job.seed, hours=job.hours)


def outages_of(job: Job, day: ShelfDay) -> list[tuple[float, float]]:
    """Whole seconds, as the cycles are."""
    rng = np.random.default_rng((job.seed, job.index, 2))
    outages: list[tuple[float, float]] = []
    at_s = day.mono_ms[0] / 1000
    while job.has_restarts:
        at_s = round(at_s + rng.uniform(2, 6) * 3600)
        until_s = at_s + round(rng.uniform(20, 60))
        if until_s > day.mono_ms[-1] / 1000 - 600:
            break
        outages.append((at_s, until_s))
        at_s = until_s
    return outages


def tallied(day: ShelfDay, run: Run, outages: Sequence[tuple[float, float]] = ()) -> Tally:
    """An outage is hands on the shelf: what moved meanwhile is one movement."""
    touches = sorted(
        [*map(movement_of, day.touches), *(Movement(begin, end, 0.0, 0, "touch", 0.0) for begin, end in outages)],
        key=lambda one: one.start_s,
    )
    verdict = judged(touches, run.published, Rules.of_pieces(day.physics.goods.piece_g), day.start_units, day.shaken)
    span_s = float(day.mono_ms[-1] - day.mono_ms[0]) / 1000
    tally = Tally(day.name, verdict, span_s / 86_400, len(day.mono_ms), run.writes, run.written_bytes, cpu_s=run.cpu_s)
    for match in verdict.found:
        event = match.event
        if match.movement.kind not in ANONYMOUS and event.units is not None:
            tally.claims.append((event.confidence, event.units == match.movement.units))
        if match.movement.kind != "removal" and event.after_units is not None:
            tally.counts.append((event.after_confidence, event.after_units == match.units_after))
    tally.claims += [(event.confidence, False) for event in verdict.false if event.units]
    _balance(day, run, touches, tally)
    return tally


def _balance(day: ShelfDay, run: Run, touches: Sequence[Movement], tally: Tally) -> None:
    """Every ten seconds of rest: is the truth within k = 2 of the stated uncertainty?"""
    start_s = int(day.mono_ms[0] // 1000)
    seconds = int(day.mono_ms[-1] // 1000) + 1 - start_s
    rest = at_rest(touches, seconds, start_s)
    true_g, changes = day.start_g, list(touches)
    for second in range(start_s + 60, start_s + seconds, 10):
        while changes and changes[0].end_s < second:
            true_g += changes.pop(0).delta_g
        if not rest[second - start_s - 1] or second not in run.balances:
            continue
        net_g, u_g = run.balances[second]
        if net_g is None:
            tally.balanced["unknown"] += 1
            continue
        off_g = abs(net_g - true_g)
        tally.farthest_pieces = max(tally.farthest_pieces, off_g / day.physics.goods.piece_g)
        tally.balanced["within" if off_g <= 2 * (u_g or 0.0) else "outside"] += 1


def movement_of(touch: Touch) -> Movement:
    kind = "touch" if touch.kind == "lean" else touch.kind
    return Movement(touch.start_s, touch.end_s, touch.delta_g, touch.units, kind, touch.step_g, touch.is_clean)


# --- what each stage is worth -------------------------------------------------------------------------------------


def _worth(args: argparse.Namespace, say: Callable[[str], None]) -> list[Figure]:
    """The same shelves again with one stage after the other taken out."""
    stages = (None, *STAGES)
    jobs = [
        Job(index, args.seed, STAGE_HOURS, without=stage, is_agent_alone=True)
        for stage in stages
        for index in STAGE_SHELVES
    ]
    tallies: dict[str | None, list[Tally]] = {stage: [] for stage in stages}
    for job, found in _done(jobs, say):
        tallies[job.without].append(found[AGENT])
    return [
        figure
        for stage, some in tallies.items()
        for figure in _basics("all stages" if stage is None else f"without {stage}", some, ("", "", "", ""))
    ]


# --- figures ------------------------------------------------------------------------------------------------------


def _share(part: int, whole: int, digits: int = 2) -> float:
    return round(100 * part / whole, digits) if whole else float("nan")


def _found(tallies: Sequence[Tally]) -> tuple[int, int]:
    found = sum(len(tally.verdict.found) for tally in tallies)
    return found, found + sum(len(tally.verdict.missed) for tally in tallies)


def _false(tallies: Iterable[Tally]) -> list[Published]:
    return [event for tally in tallies for event in (*tally.verdict.false, *tally.verdict.groundless)]


def _basics(name: str, tallies: Sequence[Tally], goals: Sequence[str]) -> list[Figure]:
    """The same of everybody: recall, false events, pieces, balance."""
    found, true = _found(tallies)
    false = _false(tallies)
    days = sum(tally.days for tally in tallies)
    safe = [right for tally in tallies for confidence, right in tally.claims if confidence >= SAFE]
    right = _share(sum(safe), len(safe))
    balanced = sum((tally.balanced for tally in tallies), Counter())
    return [
        Figure(f"{name}: recall of true movements ({found:,} of {true:,})", _share(found, true), "%", goals[0]),
        Figure(f"{name}: false events per shelf and day", round(len(false) / days, 3), "", goals[1]),
        Figure(f"{name}: pieces right, of {len(safe):,} published as safe", right, "%", goals[2]),
        Figure(
            f"{name}: balance within k = 2 of its uncertainty, of {sum(balanced.values()):,} moments at rest",
            _share(balanced["within"], sum(balanced.values())), "%", goals[3],
        ),
    ]  # fmt: skip


def _naive_figures(name: str, tallies: Sequence[Tally]) -> list[Figure]:
    return _basics(name, tallies, ("", "", "", ""))[:3]


def _drift_figure(name: str, tallies: Sequence[Tally]) -> Figure:
    goal = "0" if name == AGENT else ""
    drifts = f"{name}: events of {DRIFT_G_PER_H:g} g/h for 24 h, {len(tallies)} shelves, both ways"
    return Figure(drifts, len(_false(tallies)), "events", goal)


def _agent_figures(tallies: Sequence[Tally]) -> list[Figure]:
    days, samples = sum(tally.days for tally in tallies), sum(tally.samples for tally in tallies)
    figures = [
        Figure("simulated", round(days, 1), "shelf-days"),
        Figure("readings", samples, ""),
        *_basics("agent", tallies, (">= 99", "<= 0.1", ">= 99", ">= 95")),
        *_false_figures(tallies),
        *_missed_figures(tallies),
        *_pieces_figures(tallies),
        *_confidence_figures(tallies),
        *_latency_figures(tallies),
    ]
    balanced = sum((tally.balanced for tally in tallies), Counter())
    figures += [
        Figure("balance: farthest from the truth", round(max(tally.farthest_pieces for tally in tallies), 2), "pieces"),
        Figure("balance: moments at which none was stated", _share(balanced["unknown"], sum(balanced.values())), "%"),
        Figure("state written, per shelf and day", round(sum(tally.writes for tally in tallies) / days, 1), "times"),
        Figure("  of this in bytes", round(sum(tally.written_bytes for tally in tallies) / 1000 / days, 1), "kB"),
        Figure("processor per reading", round(1e6 * sum(tally.cpu_s for tally in tallies) / samples, 2), "µs"),
    ]
    return figures


def _false_figures(tallies: Sequence[Tally]) -> list[Figure]:
    kinds = Counter(event.kind for event in _false(tallies))
    worst = max(tallies, key=lambda tally: len(_false([tally])))
    joined = sum(tally.verdict.joined for tally in tallies)
    return [
        *(Figure(f"false: {kind}", count, "events") for kind, count in kinds.most_common()),
        Figure("false: several movements told in one, right in sum", joined, "events"),
        Figure(f"false: most on one shelf ({worst.shelf})", len(_false([worst])), "events"),
    ]


def _missed_figures(tallies: Sequence[Tally]) -> list[Figure]:
    verdicts = [tally.verdict for tally in tallies]
    _, true = _found(tallies)
    matched = [match for verdict in verdicts for match in verdict.found]
    kinds = sorted({match.movement.kind for match in matched} | {one.kind for v in verdicts for one in v.missed})
    figures = []
    for kind in kinds:
        found = sum(match.movement.kind == kind for match in matched)
        missed = sum(one.kind == kind for verdict in verdicts for one in verdict.missed)
        figures.append(Figure(f"recall: {kind} ({found:,} of {found + missed:,})", _share(found, found + missed), "%"))
    worst = min(tallies, key=lambda tally: _share(*_found([tally])))
    as_it_was = sum(match.event.kind == match.movement.kind for match in matched)
    touches = sum(verdict.touches for verdict in verdicts)
    return [
        *figures,
        Figure(f"recall: lowest of one shelf ({worst.shelf})", _share(*_found([worst])), "%"),
        Figure("found, and of the right kind", _share(as_it_was, len(matched)), "%"),
        Figure(
            f"touched and back, told as such (of {touches:,})",
            _share(sum(verdict.touches_seen for verdict in verdicts), touches), "%",
        ),
        Figure("movements with less than 2 s of rest before them", _share(sum(v.close for v in verdicts), true), "%"),
        Figure("movements with 2 to 3 s of rest before them", _share(sum(v.either for v in verdicts), true), "%"),
    ]  # fmt: skip


def _pieces_figures(tallies: Sequence[Tally]) -> list[Figure]:
    claims = [claim for tally in tallies for claim in tally.claims]
    counts = [right for tally in tallies for confidence, right in tally.counts if confidence >= SAFE]
    found, _ = _found(tallies)
    safe = sum(confidence >= SAFE for confidence, _ in claims)
    return [
        Figure(f"pieces on the shelf right, of {len(counts):,} published as safe", _share(sum(counts), len(counts)),
               "%", ">= 99"),
        Figure("movements published with a safe number of pieces", _share(safe, found), "%"),
    ]  # fmt: skip


def _bins(tallies: Sequence[Tally]) -> list[Bin]:
    return binned(claim for tally in tallies for claim in tally.claims)


def _confidence_figures(tallies: Sequence[Tally]) -> list[Figure]:
    figures = []
    bins = _bins(tallies)
    for one in bins:
        low, high = one.interval
        stated = f"confidence {one.low:g} to {one.high:g}: stated {one.stated:.4f}, n = {one.count:,}"
        figures.append(Figure(f"{stated}, right ({low:.3f} to {high:.3f} with 95 %)", round(one.observed, 4)))
    off = [one for one in bins if not one.is_right]
    return [
        *figures,
        Figure("bins of confidence off by more than 0.02 (and chance)", len(off), "bins", "0"),
        Figure(
            f"bins with claims enough to tell 0.02 from chance, of {len(bins)}", sum(b.is_told for b in bins), "bins"
        ),
    ]


def _latency_figures(tallies: Sequence[Tally]) -> list[Figure]:
    matches = [match for tally in tallies for match in tally.verdict.found]
    all_s = [match.event.published_s - match.movement.end_s for match in matches]
    clean_s = [match.event.published_s - match.movement.end_s for match in matches if match.movement.is_clean]
    return [
        Figure("latency after the hands left, cycle of 1 s included: median", round(quantile(all_s, 0.5), 2), "s"),
        Figure("latency: 95 of 100 within", round(quantile(all_s, 0.95), 2), "s"),
        Figure(f"latency of a clean step (n = {len(clean_s):,}): median", round(quantile(clean_s, 0.5), 2), "s"),
        Figure("latency of a clean step: 95 of 100 within", round(quantile(clean_s, 0.95), 2), "s", f"<= {LATEST_S:g}"),
    ]
