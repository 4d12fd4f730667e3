"""coldstore: ten probes of a real cold store for seven months, through drivers and decisions, against the recording.

Two exports of the same logger are played: as it wrote them, and on a regular grid. The configuration
(`config/replay/saveris*.toml`) has the site's practice: an alarm after 45 min, a critical one after 60. The judge
(`coldstore_judge.py`) reads the files by itself: each episode above 5 °C of at least four hours on the chillers and
platforms must have an alarm that stands in it; an alarm is false where the raw trace shows no cause for it, and at most
one a month and zone may be; defrosts of the freezers in the record are compared with those that repeat themselves.

  scripts/bench coldstore --only grid    one of the two exports: "raw" or "grid"
  scripts/bench coldstore --plot DIR     each zone with its alarms, and each episode of four hours
"""

import argparse
import logging
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure, skipped

from bench_parts.climate import data_folder
from bench_parts.coldstore_judge import (
    CHILLED,
    FROZEN,
    HOUR_S,
    LONG_S,
    NEAR_S,
    ZONES,
    Alarm,
    Episode,
    Readings,
    by_chance,
    defrosts,
    episodes,
    finder,
    has_cause,
    humps,
    months,
    period_h,
    read,
)
from bench_parts.decisions import decisions
from bench_parts.weighing_pictures import drawing
from edge_agent.config import load
from edge_agent.domain.alarm import AlarmTransition, Change
from edge_agent.domain.record import RecordKind
from edge_agent.service.build import open_board

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "saveris_coldstore"
SHIFTS_S = tuple(hours * HOUR_S for hours in (-3.1, -2.2, 2.3, 3.3))  # no defrost's period, half or third of one


@dataclass(frozen=True, slots=True)
class Export:
    name: str
    config: str
    file: str
    time_columns: tuple[str, ...]
    time_format: str
    columns: tuple[str, ...]


EXPORTS = (
    Export("raw export", "saveris.toml", "saveris_values.csv.gz", ("date", "hour"), "%d/%m/%y %H:%M:%S",
           tuple("abcdefghij")),
    Export("regular grid", "saveris-complete.toml", "saveris_values_complete.csv.gz", ("date",), "%Y-%m-%d %H:%M:%S",
           tuple(zone.replace("-", "_") for zone in ZONES)),
)  # fmt: skip


@dataclass(slots=True)
class Heard:
    alarms: dict[str, list[Alarm]] = field(default_factory=lambda: defaultdict(list))  # by zone, in order
    defrosts: dict[str, list[tuple[float, float | None]]] = field(default_factory=lambda: defaultdict(list))  # peaks


@dataclass(frozen=True, slots=True)
class Found:
    """What the judge says of one zone."""

    episodes: Sequence[tuple[Episode, Alarm | None]]  # of four hours or more
    false: Sequence[Alarm]
    period_h: float | None
    defrosts: Sequence[float]  # peaks
    by_chance: float  # so many of them would be found at a period that is none


# --- the agent ----------------------------------------------------------------------------------------------------


def heard_of(export: Export, source: Path) -> Heard:
    settings = load(ROOT / "config" / "replay" / export.config)
    board_settings = replace(settings.board.settings, traces=(str(source),))
    settings = replace(settings, board=replace(settings.board, settings=board_settings))
    heard = Heard()
    for decision, now in decisions(settings, open_board(settings), 0.0):
        for transition in decision.transitions:
            _hear(heard, transition, now.wall_ms / 1000)
        for line in decision.records:
            if line.kind is RecordKind.DEFROST:
                period = line.body.get("period_h")
                recovery_min = line.body.get("recovery_min")
                peak_s = line.at.wall_ms / 1000 - 60 * (recovery_min if isinstance(recovery_min, (int, float)) else 0.0)
                heard.defrosts[line.place].append((peak_s, float(period) if isinstance(period, (int, float)) else None))
    return heard


def _hear(heard: Heard, transition: AlarmTransition, at_s: float) -> None:
    alarm = transition.alarm
    zone, what = _zone_of(alarm.name)
    alarms = heard.alarms[zone]
    if transition.change is Change.RAISED:
        alarms.append(Alarm(zone, what, at_s, limit=alarm.limit, message=alarm.message))
    elif transition.change is Change.RETURNED:
        last = max((n for n, one in enumerate(alarms) if one.what == what), default=None)
        if last is not None:
            alarms[last] = replace(alarms[last], over_s=at_s)


def _zone_of(name: str) -> tuple[str, str]:
    for prefix in ("sensor", "doubt"):
        if name.startswith(prefix + "-"):
            return name.removeprefix(prefix + "-"), prefix
    zone = next((zone for zone in ZONES if name.startswith(zone + "-")), "")
    return zone, name.removeprefix(zone + "-") if zone else name


# --- judged -------------------------------------------------------------------------------------------------------


def judge(zone: str, readings: Readings, alarms: Sequence[Alarm]) -> Found:
    peaks_s, less = humps(readings)
    period = period_h(less)
    repeated = defrosts(peaks_s, period) if period is not None else []
    long = [one for one in episodes(readings) if one.length_s >= LONG_S] if zone in CHILLED else []
    return Found(
        tuple((one, finder(one, alarms)) for one in long),
        tuple(alarm for alarm in alarms if not has_cause(alarm, readings, repeated)),
        period,
        tuple(repeated),
        by_chance(peaks_s, period) if period is not None else 0.0,
    )


# --- the part -----------------------------------------------------------------------------------------------------


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    logging.getLogger("edge_agent").setLevel(logging.CRITICAL)  # the recording's faults are known
    data = data_folder()
    figures: list[Figure] = []
    wanted = [export for export in EXPORTS if not args.only or args.only in export.name]
    if not wanted:
        raise CampaignError(f"--only {args.only}: none of {', '.join(export.name for export in EXPORTS)}")
    for export in wanted:
        source = data / FOLDER / export.file if data else None
        if source is None or not source.exists():
            say(f"coldstore: SKIPPED: no {export.file} (EDGE_AGENT_DATA names the folder of the data)")
            figures.append(skipped(f"cold store, {export.name}", "its recording is not here"))
            continue
        began_s = time.monotonic()
        readings = read(source, export.time_columns, export.time_format, export.columns)
        heard = heard_of(export, source)
        say(f"coldstore, {export.name}: played in {time.monotonic() - began_s:.0f} s")
        found = {zone: judge(zone, readings[zone], heard.alarms[zone]) for zone in ZONES}
        for line in _account(found):
            say(f"coldstore, {export.name}: {line}")
        figures += _figures(export.name, readings, found, heard)
        if args.plot:
            where = Path(args.plot) / export.config.removesuffix(".toml")
            for zone in ZONES:
                say(f"coldstore: {drawing('coldstore_plot').draw(where, zone, readings[zone], heard, found[zone])}")
    return figures


def _account(found: Mapping[str, Found]) -> Iterator[str]:
    for zone, verdict in found.items():
        for episode, alarm in verdict.episodes:
            hours = episode.length_s / HOUR_S
            words = f"{zone}: {_when(episode.begin_s)}, {hours:.1f} h above 5 °C, {episode.most_c:.1f} °C"
            if alarm is None:
                yield f"{words}: MISSED"
            else:
                yield f"{words}: {alarm.what} after {(alarm.raised_s - episode.begin_s) / 60:.0f} min"
        for alarm in verdict.false:
            yield f"{zone}: FALSE {_when(alarm.raised_s)} {alarm.what}: {alarm.message}"


def _when(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"


def _figures(name: str, readings: Mapping[str, Readings], found: Mapping[str, Found], heard: Heard) -> list[Figure]:
    told = [pair for verdict in found.values() for pair in verdict.episodes]
    delays = [(alarm.raised_s - one.begin_s) / 60 for one, alarm in told if alarm is not None]
    figures = [
        Figure(f"{name}: episodes above 5 °C of 4 h, found", len(delays), f"of {len(told)}", str(len(told))),
        Figure(f"{name}: from its begin to the alarm, median", round(statistics.median(delays or [0.0])), "min"),
    ]
    for zone in ZONES:
        raised, false = len(heard.alarms[zone]), len(found[zone].false)
        monthly = round(false / months(readings[zone]), 2)
        figures.append(Figure(f"{name}: {zone}: false alarms (of {raised} raised)", monthly, "a month", "<= 1"))
    for zone in FROZEN:
        figures += _defrost_figures(name, zone, found[zone], heard.defrosts[zone])
    return figures


def _defrost_figures(
    name: str, zone: str, found: Found, recorded: Sequence[tuple[float, float | None]]
) -> Iterator[Figure]:
    if not found.defrosts:
        yield Figure(f"{name}: {zone}: defrosts in the record, none repeats itself", len(recorded))
        return
    judged, peaks_s = found.defrosts, [peak_s for peak_s, _ in recorded]
    periods = [period for _, period in recorded if period is not None]
    learnt = f"{statistics.median(periods):.1f}" if periods else "none"
    share = round(100 * _near(judged, peaks_s))
    shifted = round(100 * statistics.mean(_near(judged, [each + by_s for each in peaks_s]) for by_s in SHIFTS_S))
    of = f"of {len(judged)} ({found.by_chance:.0f} by chance)"
    yield Figure(f"{name}: {zone}: its defrosts' period {found.period_h:g} h, the agent's", learnt, "h")
    yield Figure(f"{name}: {zone}: defrosts in the record within 30 min, {of}", share, "%", ">= 50")
    yield Figure(f"{name}: {zone}: so many if the record were some hours off", shifted, "%")
    lone = round(100 * (1 - _near(peaks_s, judged)))
    yield Figure(f"{name}: {zone}: of {len(peaks_s)} in the record, no such hump repeats itself", lone, "%")


def _near(these_s: Sequence[float], those_s: Sequence[float]) -> float:
    """The share of these that have one of those near."""
    return sum(any(abs(a - b) <= NEAR_S for b in those_s) for a in these_s) / max(1, len(these_s))
