"""Look at a scale: `watch` shows a shelf live while the agent runs, `diagnose` measures what the scale can do,
`history` lists its calibrations.

`watch` reads what the agent tells the broker: gross, net, pieces and how sure they are, rest, noise, drift, faults, and
the events since it began. An event and the weight after it come within seconds, weights in between every `report_s` of
the sensor. It asks for nothing and changes nothing. Exit code 0, 5 when the broker cannot be reached.

`diagnose` reads the load cells itself, at the configured intervals, for half a minute during which nobody touches the
shelf. Two programmes cannot share a load cell, so the agent must stand still: `systemctl stop edge-agent` before it,
`systemctl start edge-agent` after it. Exit code 0 when the scale is well, 1 when something is to be done, 6 while the
agent runs.

`history` says of every calibration of each load cell who did it, when, at what temperature, with which weights, and by
how much the span changed; (!) marks more than 2 %. Exit code 0.

edge-agent scale watch shelf-1 --config config/simulated.toml
edge-agent scale watch shelf-1 --for 60 --json | jq -c '[.at, .net_g, .units]'
edge-agent scale diagnose shelf-1 --config config/simulated.toml
edge-agent scale diagnose shelf-1 --seconds 120 --json | jq .problems
edge-agent scale history shelf-1 --config config/simulated.toml
"""

import argparse
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from edge_agent.cli import scale_history
from edge_agent.cli.common import (
    add_config,
    add_json,
    add_state,
    archive,
    console,
    health_in,
    machine_now,
    print_json,
    settings,
    state_directory,
    without_complaints,
)
from edge_agent.cli.exits import CliError, Exit
from edge_agent.cli.watch import listen
from edge_agent.config import Settings
from edge_agent.decide.memory import from_rows
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.reading import Sample
from edge_agent.domain.settings import SettingsError
from edge_agent.domain.stock import SAFE_CONFIDENCE
from edge_agent.drivers.errors import BoardError, SensorError
from edge_agent.drivers.seam import Board
from edge_agent.mqtt.consumer import Consumer, Listener, Taken
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.scales import CONFIGURATION
from edge_agent.storage import inbox
from edge_agent.storage.settings_file import CalibrationRecord
from edge_agent.weighing.diagnosis import CellReport, Diagnosis, Known, diagnosed
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import CellSettings, ShelfSettings

SECONDS = 30.0
LAST_EVENTS = 8
DAY_MS = 86_400_000


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    watch = actions.add_parser("watch", help="the shelf as the agent sees it, live")
    watch.add_argument("shelf", metavar="SHELF", help="name of the shelf, as in the configuration")
    watch.add_argument("--for", dest="for_s", type=float, metavar="S", help="stop after so many seconds")
    diagnose = actions.add_parser("diagnose", help="measure what the scale can and cannot do; the agent stands still")
    diagnose.add_argument("shelf", metavar="SHELF", help="name of the shelf, as in the configuration")
    diagnose.add_argument("--seconds", type=_seconds, default=SECONDS, metavar="S", help="default: %(default)g")
    history = actions.add_parser("history", help="who calibrated it, when, at what temperature, and what it changed")
    history.add_argument("shelf", metavar="SHELF", help="name of the shelf, as in the configuration")
    for action in (diagnose, history):
        add_state(action)
    for action in (watch, diagnose, history):
        add_config(action)
        add_json(action)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and 86400 s")
    return seconds


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    shelf = shelf_of(chosen, args.shelf)
    actions = {"watch": _watch, "diagnose": _diagnose, "history": scale_history.run}
    return actions[args.action](args, chosen, shelf)


def shelf_of(chosen: Settings, name: str) -> ShelfSettings:
    """Raises CliError for a shelf that the configuration does not know."""
    found = next((shelf for shelf in chosen.shelves if shelf.name == name), None)
    if found is None:
        there = ", ".join(shelf.name for shelf in chosen.shelves) or "none"
        raise CliError(Exit.USAGE, f"no shelf {name!r} in the configuration; there are: {there}")
    return found


# --- watch ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class View:
    """One shelf as its node tells it. One thread writes, another draws."""

    shelf: str
    node: str
    stable_g: float
    stock: Mapping[str, Any] = field(default_factory=dict)
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    alarm: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    events: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=LAST_EVENTS))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, taken: Taken) -> bool:
        """True when it is news of this shelf. What was sent late belongs to the past, but for events."""
        _storeroom, _v1, _site, _node, kind, *rest = taken.topic.split("/")
        of = rest[0] if rest else ""
        with self.lock:
            for record in taken.records:
                if "event" in (kind, of) and record.get("shelf") == self.shelf:
                    self.events.append(record)
                elif taken.historical:
                    return False
                elif kind == "status":
                    self.status = record
                elif of == f"scale-{self.shelf}" and kind == "alarm":
                    self.alarm = record
                elif of == self.shelf and kind == "stock":
                    self.stock = record
                elif of == self.shelf and kind == "telemetry":
                    self.telemetry = record
                else:
                    return False
        return bool(taken.records)

    def told(self) -> dict[str, Any]:
        """The shelf now, ready for JSON: the newest weight that was told, all else as in the last stock message."""
        with self.lock:
            stock, telemetry = self.stock, self.telemetry
            newest = max((stock, telemetry), key=lambda record: record.get("mono_ms", -1))
            readings = telemetry.get("readings", {}) if newest is telemetry else {}
            gross, net = (readings.get(name, {}) for name in ("gross_g", "net_g"))
            balance = stock.get("balance", {})
            is_telemetry, is_stable = bool(readings), stock.get("stable")
            shown_g, told_g = gross.get("value"), stock.get("gross_g")
            if is_stable and is_telemetry and (shown_g is None or abs(shown_g - told_g) > self.stable_g):
                is_stable = False  # a stock message comes whenever the shelf rests at another weight
            return {
                "at": newest.get("ts"),
                "shelf": self.shelf,
                "node_state": self.status.get("state"),
                "gross_g": gross.get("value") if is_telemetry else stock.get("gross_g"),
                "net_g": net.get("value") if is_telemetry else balance.get("net_g"),
                "quality": gross.get("quality") if is_telemetry else stock.get("quality"),
                "fault": gross.get("fault") if is_telemetry else stock.get("fault"),
                "stable": is_stable,
                "balance_g": balance.get("net_g"),
                "u_g": balance.get("u_g"),
                "units": balance.get("units"),
                "confidence": balance.get("confidence"),
                "noise_g": stock.get("noise_g"),
                "drift_tracked_g": stock.get("drift_tracked_g"),
                "product": stock.get("product"),
                "alarm": self.alarm.get("evidence") if self.alarm.get("state", "normal") != "normal" else None,
                "last_event": self.events[-1] if self.events else None,
            }

    def drawn(self) -> Group:
        told = self.told()
        facts = Table(box=None, show_header=False, pad_edge=False)
        for what, words in in_words(told):
            facts.add_row(what, words)
        with self.lock:
            events = list(self.events)
        table = Table("at", "what", title="Events since this began", title_justify="left")
        for name in ("g", "pieces", "sure", "balance g", "pieces there"):
            table.add_column(name, justify="right")
        for event in reversed(events):
            table.add_row(*event_row(event))
        node = f"{self.node}  {told['node_state'] or 'not heard of yet'}"
        return Group(
            Text(f"{self.shelf} of {node}  {told['at'] or ''}"), facts, table if events else Text("no event yet")
        )


def in_words(told: Mapping[str, Any]) -> list[tuple[str, Text]]:
    """
    >>> for what, words in in_words({"gross_g": 5230.4, "net_g": 4880.4, "units": None, "confidence": 0.87}):
    ...     print(what, "|", words.plain)
    gross | 5230.4 g
    net | 4880.4 g, as told last
    pieces | not safe (87 %)
    rest | not known
    noise | not learnt yet
    drift | -
    """
    is_stable, units, sure = told.get("stable"), told.get("units"), told.get("confidence")
    pieces = "not known"
    if sure is not None:
        pieces = (
            f"{units} ({100 * sure:.1f} %)"
            if units is not None and sure >= SAFE_CONFIDENCE
            else f"not safe ({100 * sure:.0f} %)"
        )
    elif units is not None:
        pieces = str(units)
    u_g = told.get("u_g")
    sure_to = f"; in the ledger {_g(told.get('balance_g'))} +- {_g(u_g)}" if u_g is not None else ", as told last"
    noise, drift = told.get("noise_g"), told.get("drift_tracked_g")
    rest = {True: "at rest", False: "moving", None: "not known"}[is_stable]
    rows = [
        ("gross", Text(_g(told.get("gross_g")), style="bold")),
        ("net", Text(_g(told.get("net_g")) + sure_to)),
        ("pieces", Text(pieces)),
        ("rest", Text(rest, style="" if is_stable is not False else "yellow")),
        ("noise", Text("not learnt yet" if noise is None else f"{noise:.2g} g")),
        ("drift", Text("-" if drift is None else f"{drift:+.1f} g followed since the last zero")),
    ]
    faults = [told[key] for key in ("fault", "alarm") if told.get(key)]
    return rows + [("fault", Text(str(fault), style="bold red")) for fault in faults]


def event_row(event: Mapping[str, Any]) -> tuple[str, ...]:
    after = event.get("balance_after", {})
    pieces = event.get("delta_units")
    return (
        str(event.get("ts", ""))[11:19],
        " ".join(filter(None, (event.get("kind"), event.get("evidence")))),
        f"{event['delta_g']:+.1f}" if event.get("delta_g") is not None else "-",
        "-" if pieces is None else f"{pieces:+d}",
        f"{100 * event.get('confidence', 0):.1f} %",
        "-" if after.get("net_g") is None else f"{after['net_g']:.0f}",
        "-" if after.get("units") is None else str(after["units"]),
    )


def _g(grams: float | None) -> str:
    return "-" if grams is None else f"{grams:.1f} g"


def _watch(args: argparse.Namespace, chosen: Settings, shelf: ShelfSettings) -> Exit:
    node = chosen.node
    listener = Listener(chosen.mqtt, Consumer(), site=node.site, node=node.name, asks=False)
    view = View(shelf.name, node.name, shelf.stable_g)
    out = console()

    def hear(taken: Taken) -> None:
        if view.take(taken) and args.json and (told := view.told())["at"] is not None:
            print_json(told)
            sys.stdout.flush()

    if not listen(listener, hear, None if args.json else view.drawn, args.for_s):
        raise CliError(Exit.NO_BROKER, listener.last_error or "the broker does not answer")
    if not args.json and not out.is_terminal:
        out.print(view.drawn())
    return Exit.OK


# --- diagnose -------------------------------------------------------------------------------------------------------


def _diagnose(args: argparse.Namespace, chosen: Settings, shelf: ShelfSettings) -> Exit:
    directory = state_directory(chosen, args.state)
    state = _state(directory, shelf)
    shelf, days = in_force(shelf, scale_history.calibrations(directory, shelf), machine_now())
    known = _known(chosen, shelf, state, days)
    status = Console(stderr=True, quiet=args.json).status(f"{args.seconds:g} s: nobody touch {shelf.name}, please")
    with status, without_complaints("edge_agent.service.polling", "edge_agent.drivers"):
        samples = measured(chosen, shelf, args.seconds)
    found = diagnosed(shelf, samples, known)
    if args.json:
        print_json(asdict(found) | {"well": found.is_well})
    else:
        _show(found, shelf)
    return Exit.OK if found.is_well else Exit.FAULT


def _state(directory: Path, shelf: ShelfSettings) -> ScaleState:
    """What the agent remembers of the scale. Raises CliError while it runs: the load cells are its own."""
    if not (directory / inbox.FILE_NAME).exists():
        return ScaleState()
    with archive(directory) as found:
        memory = found.memory()
    health = health_in(memory)
    if health is not None and health.is_alive(machine_now()):
        raise CliError(
            Exit.REFUSED,
            "the agent runs, and two programmes cannot read the same load cells: `systemctl stop edge-agent` first, "
            f"or `edge-agent scale watch {shelf.name}` to look on while it works",
        )
    try:
        found = from_rows({key: value for key, value in memory.items() if key.endswith(f"/{shelf.name}")})
        return found.scales.get(shelf.name, ScaleState())
    except ValueError as error:
        raise CliError(Exit.FAULT, str(error)) from error


def in_force(
    shelf: ShelfSettings, history: Sequence[CalibrationRecord], now: Instant
) -> tuple[ShelfSettings, Mapping[str, float]]:
    """The shelf with the newest calibration of each cell, and how many days ago that was where it is known.

    An edited configuration wins over what was done before it, as at the agent's start.
    """
    cells, days = [], {}
    for cell in shelf.cells:
        records = [record for record in history if record.sensor == cell.sensor]
        configured = [record for record in records if record.who == CONFIGURATION]
        if configured and _calibrated(cell, configured[-1]) == cell:
            cell = _calibrated(cell, records[-1])
            if records[-1].at.clock is not ClockState.UNSYNCED:
                days[cell.sensor] = (now.wall_ms - records[-1].at.wall_ms) / DAY_MS
        cells.append(cell)
    return replace(shelf, cells=tuple(cells)), days


def _calibrated(cell: CellSettings, record: CalibrationRecord) -> CellSettings:
    return replace(cell, zero_counts=record.zero_counts, counts_per_gram=record.counts_per_gram, points=record.points)


def _known(chosen: Settings, shelf: ShelfSettings, state: ScaleState, days: Mapping[str, float]) -> Known:
    product = next((each for each in chosen.products if each.gtin == shelf.product), None)
    model = state.pieces.model
    configured_g, configured_sd_g = (product.piece_g, product.piece_sd_g) if product is not None else (None, None)
    return Known(
        intervals_s={sensor.name: sensor.interval_s for sensor in chosen.sensors},
        calibrated_days=days,
        piece_g=model.mean_g if model is not None else configured_g,
        piece_sd_g=model.sd_g if model is not None else configured_sd_g,
        zero_g=state.zero_g,
    )


def measured(chosen: Settings, shelf: ShelfSettings, seconds: float) -> list[Sample]:
    """What the shelf's load cells say for so long, each at its configured interval, one after the other."""
    from edge_agent.service.build import open_board, open_sensors  # here: `watch` needs none of the drivers

    try:
        board: Board = open_board(chosen)
    except (SettingsError, BoardError, OSError) as error:
        raise CliError(Exit.FAULT, f"the board cannot be opened: {error}") from error
    names = {cell.sensor for cell in shelf.cells}
    ours = replace(chosen, sensors=tuple(sensor for sensor in chosen.sensors if sensor.name in names))
    with closing(board), board.driving():
        if board.moments() is not None:
            raise CliError(Exit.USAGE, "a recording is no scale: `edge-agent replay` plays it")
        try:
            polled = open_sensors(ours, board)
        except SensorError as error:
            raise CliError(Exit.FAULT, str(error)) from error
        watch = ClockWatch(board.clock)
        for each in polled:
            each.take(watch.now())  # connects; takes longer than any other
        begin_ms = watch.now().mono_ms
        due_ms = {each.name: begin_ms for each in polled}
        samples: list[Sample] = []
        while (now := watch.now()).mono_ms < begin_ms + 1000 * seconds:
            for each in polled:
                now = watch.now()
                if due_ms[each.name] <= now.mono_ms:
                    samples.append(each.take(now))
                    interval_ms = max(1, round(1000 * (each.interval_s or 1)))
                    due_ms[each.name] += interval_ms * ((now.mono_ms - due_ms[each.name]) // interval_ms + 1)
            board.clock.sleep(max(1, min(due_ms.values()) - watch.now().mono_ms) / 1000)
        for each in polled:
            each.sensor.close()
    return samples


def _show(found: Diagnosis, shelf: ShelfSettings) -> None:
    out = console()
    cells = Table("cell", title=f"{found.shelf}, {found.seconds:.0f} s", title_justify="left")
    for name in ("samples/s", "configured", "bad", "saturated", "spikes", "noise g", "load g", "share", "calibrated"):
        cells.add_column(name, justify="right")
    for report in found.cells:
        cells.add_row(*cell_row(report))
    out.print(cells)
    facts = Table(box=None, show_header=False, pad_edge=False)
    for what, words in facts_of(found, shelf):
        facts.add_row(what, words)
    out.print(facts)
    if found.is_well:
        out.print(Text(f"{found.shelf} is well", style="bold green"))
    for problem in found.problems:
        out.print(Text(problem, style="bold red"))


def cell_row(report: CellReport) -> tuple[str, ...]:
    def number(value: float | None, digits: str = ".3g") -> str:
        return "-" if value is None else format(value, digits)

    days = report.calibrated_days
    return (
        report.sensor,
        number(report.measured_sps),
        number(report.configured_sps),
        str(sum(report.bad.values())),
        str(report.saturated),
        str(report.spikes),
        number(report.noise_g),
        number(report.level_g, ".1f"),
        "-" if report.share is None else f"{100 * report.share:.0f} %",
        "not known" if days is None else f"{days:.0f} d ago",
    )


def facts_of(found: Diagnosis, shelf: ShelfSettings) -> list[tuple[str, str]]:
    """The scale as a whole, in words."""
    if found.noise_g is None or found.least_piece_g is None:
        return [("weight", "cannot be told")]
    facts = [
        ("weight", f"{found.gross_g:.1f} g of {shelf.capacity_g:.0f} g"),
        ("noise", f"{found.noise_g:.3g} g a weight"),
        ("can count", f"pieces from {found.least_piece_g:.3g} g on (noise below 10 % of a piece)"),
    ]
    if found.drift_g_per_h is not None:
        facts.insert(
            2, ("drift", f"{found.drift_g_per_h:+.0f} +- {2 * (found.u_drift_g_per_h or 0):.0f} g/h meanwhile")
        )
    if found.piece_g is not None and found.noise_pieces is not None:
        facts.append(("product", f"{found.piece_g:.4g} g a piece: noise of {100 * found.noise_pieces:.2g} % of it"))
        facts.append(
            ("counted at once", f"up to {found.most_pieces} pieces, to 99 %; what moves is counted beyond that")
        )
    return facts
