"""Calibration, tare and zero in the settings file: they outlive a lost database and a changed configuration."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from edge_agent.alerts.condition import Condition
from edge_agent.decide import Calibrated
from edge_agent.domain.alarm import Priority
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.storage.errors import StorageError
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile
from edge_agent.weighing import calibration
from edge_agent.weighing.settings import CellSettings, ShelfSettings

log = logging.getLogger(__name__)

CONFIGURATION = "configuration"  # who calibrated, when the figures come from the configuration
SOON_DAYS = 14.0  # an alarm before it is due: somebody has to bring a weight
TOLD_DAYS = 7.0  # for so long a changed span is an alarm

History = Sequence[CalibrationRecord]  # of one shelf, oldest first


def calibrated(shelves: Sequence[ShelfSettings], file: SettingsFile, now: Instant) -> tuple[ShelfSettings, ...]:
    """The shelves with the calibration in force: the newest of each cell.

    Figures of the configuration count as new when they differ from what the configuration said before; so one
    done at the scale stays in force until somebody edits the configuration.
    """
    return tuple(
        replace(shelf, cells=tuple(_calibrated(shelf, cell, file, now) for cell in shelf.cells)) for shelf in shelves
    )


def _calibrated(shelf: ShelfSettings, cell: CellSettings, file: SettingsFile, now: Instant) -> CellSettings:
    history = [record for record in file.calibrations(shelf.name) if record.sensor == cell.sensor]
    configured = [record for record in history if record.who == CONFIGURATION]
    if not configured or not _is_same(configured[-1], cell):
        record = CalibrationRecord(
            shelf.name, cell.sensor, cell.zero_counts, cell.counts_per_gram, CONFIGURATION, now, points=cell.points
        )
        file.add_calibration(record)
        history.append(record)
    return _with(cell, history[-1])


def _is_same(record: CalibrationRecord, cell: CellSettings) -> bool:
    return _with(cell, record) == cell


def _with(cell: CellSettings, record: CalibrationRecord) -> CellSettings:
    return replace(cell, zero_counts=record.zero_counts, counts_per_gram=record.counts_per_gram, points=record.points)


def keep(file: SettingsFile, asked: Calibrated, now: Instant) -> None:
    """Write a calibration done at the scale into the history, all cells of the shelf or none. Raises StorageError."""
    made = asked.calibration
    file.add_calibration(
        *(
            CalibrationRecord(
                asked.shelf,
                cell.sensor,
                cell.zero_counts,
                cell.counts_per_gram,
                asked.who,
                now,
                asked.temperature_c,
                cell.points,
                made.weights_g,
                tuple(round(residual_g, 3) for residual_g in made.residuals_g),
                asked.message,
            )
            for cell in made.cells
        )
    )
    log.warning("%s: calibrated by %s: %s", asked.shelf, asked.who, asked.message)


def with_calibration(shelves: Iterable[ShelfSettings], asked: Calibrated) -> tuple[ShelfSettings, ...]:
    """The plan's shelves, from now on."""
    return tuple(
        replace(shelf, cells=asked.calibration.cells) if shelf.name == asked.shelf else shelf for shelf in shelves
    )


def histories(shelves: Iterable[ShelfSettings], file: SettingsFile) -> dict[str, History]:
    """Read at the start and after each calibration, not in every cycle. Raises StorageError."""
    return {shelf.name: file.calibrations(shelf.name) for shelf in shelves}


def conditions(
    shelves: Iterable[ShelfSettings], known: Mapping[str, History], now: Instant
) -> Iterator[Condition]:  # fmt: skip
    """A calibration that was never made, is due, or whose span differed too much from the one before."""
    for shelf in shelves:
        yield _condition(shelf, known.get(shelf.name, ()), now)


def _condition(shelf: ShelfSettings, history: History, now: Instant) -> Condition:
    last = history[-1] if history else None
    evidence = _guessed(shelf, history)
    if last is not None and not evidence and now.clock is not ClockState.UNSYNCED:
        evidence = _changed(shelf, history, now) or _due(shelf, last, now)
    return Condition(
        name=f"cal-{shelf.name}",  # 32 characters at most
        holds=bool(evidence),
        priority=Priority.LOW,
        message=f"The scale of {shelf.name} wants a calibration" if evidence else f"{shelf.name} is calibrated",
        action=f"Empty the shelf and calibrate it with a known weight: edge-agent calibrate {shelf.name}",
        evidence=evidence,
    )


def is_guess(record: CalibrationRecord) -> bool:
    """Figures that `edge-agent setup` wrote: no real cell says exactly 0 under an empty platform.

    >>> at = Instant(0, 0, "boot")
    >>> [is_guess(CalibrationRecord("s", "c", zero, 215.1, who, at)) for zero, who in ((0, CONFIGURATION), (0, "anna"))]
    [True, False]
    """
    return record.who == CONFIGURATION and record.zero_counts == 0 and not record.points


def guessed_cells(shelf: ShelfSettings, history: History) -> list[str]:
    """The cells of a shelf that nobody has calibrated yet."""
    newest = {record.sensor: record for record in history}
    return [cell.sensor for cell in shelf.cells if cell.sensor in newest and is_guess(newest[cell.sensor])]


def _guessed(shelf: ShelfSettings, history: History) -> str:
    cells = guessed_cells(shelf, history)
    return f"never calibrated: the figures of {', '.join(cells)} are a guess, and no weight is right" if cells else ""


def _dated_ms(at: Instant, now: Instant) -> int | None:
    """Unix time; of an instant before the clock came only within this boot."""
    if at.clock is not ClockState.UNSYNCED:
        return at.wall_ms
    return now.wall_ms - now.mono_ms + at.mono_ms if at.boot == now.boot else None


def _due(shelf: ShelfSettings, last: CalibrationRecord, now: Instant) -> str:
    done_ms = _dated_ms(last.at, now)
    if done_ms is None:
        return f"nobody knows how old it is: done by {last.who} before the clock was set"
    left = calibration.due(done_ms, now.wall_ms, shelf.calibrate_every_days)
    if left.days_left > min(SOON_DAYS, shelf.calibrate_every_days / 10):
        return ""
    when = f"due in {left.days_left:.0f} days" if left.days_left > 0 else f"overdue by {-left.days_left:.0f} days"
    done = replace(last.at, wall_ms=done_ms).rfc3339()[:10]
    return f"{when}: last on {done} by {last.who}, every {shelf.calibrate_every_days:g} days"


def _changed(shelf: ShelfSettings, history: History, now: Instant) -> str:
    """Words on the cell whose span changed most from one calibration at the scale to the next, in the last days.

    The configuration's figures are no measurement: a first calibration differs from them as it likes.
    """
    found: list[tuple[float, str]] = []
    for cell in shelf.cells:
        own = [record for record in history if record.sensor == cell.sensor][-2:]
        if (
            len(own) == 2
            and not any(r.who == CONFIGURATION for r in own)
            and (done_ms := _dated_ms(own[1].at, now)) is not None
        ):
            change = span_change(*own)
            age_days = (now.wall_ms - done_ms) / 86_400_000
            if abs(change) > calibration.SPAN_WARNING and age_days <= TOLD_DAYS:
                found.append((abs(change), f"the span of {cell.sensor} changed by {100 * change:+.1f} %"))
    return max(found, default=(0.0, ""))[1]


def span_change(before: CalibrationRecord, after: CalibrationRecord) -> float:
    """As a share: 0.01 is one percent more counts for a gram."""
    return after.counts_per_gram / before.counts_per_gram - 1


def mirror(file: SettingsFile) -> Callable[[str, bytes], None]:
    """Keeps a copy of tare and zero; what the card does not take waits for the next one.

    That the card takes none is the commit's business to complain about.
    """
    waiting: dict[str, bytes] = {}

    def keep_copy(key: str, value: bytes) -> None:
        waiting[key] = value
        try:
            for name in list(waiting):
                file.mirror(name, waiting[name])
                del waiting[name]
        except StorageError as error:
            log.warning("settings file: %s is not mirrored: %s", ", ".join(waiting), error)
            file.reconnect()

    return keep_copy
