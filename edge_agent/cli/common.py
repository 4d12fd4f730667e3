"""What several commands share: the configuration option, JSON output, opening the store to read."""

import argparse
import json
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import ConfigError, Settings, load
from edge_agent.decide.memory import LIMITS, from_rows
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.instant import Instant
from edge_agent.domain.settings import identifier
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.health import LastHealth, last_health
from edge_agent.service.refuge import in_use
from edge_agent.storage.archive import Archive
from edge_agent.storage.errors import StorageError

if TYPE_CHECKING:
    from rich.console import Console

SYSTEM_CONFIG = "/etc/edge-agent/edge-agent.toml"
PIPED_WIDTH = 160
LONGEST_S = 1e9  # a timer takes no more than 9.2e9


def positive_seconds(text: str) -> float:
    """An argument's type.

    >>> positive_seconds("2.5")
    2.5
    """
    return above_0(text, LONGEST_S, "s")


def above_0(text: str, most: float, unit: str) -> float:
    """A number of an argument, ``most`` at most. Raises argparse.ArgumentTypeError.

    >>> above_0("nan", 600.0, "s")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: 'nan': must be above 0 and at most 600 s
    """
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found <= most:  # a NaN is not
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: must be above 0 and at most {most:.0f} {unit}")
    return found


def name_word(text: str) -> str:
    """An argument's type: a site or a node, as it stands in topics."""
    fault = identifier("", text)
    if fault is not None:
        raise argparse.ArgumentTypeError(f"{text!r}: must be {fault.right}")
    return text


def folder(text: str) -> str:
    """An argument's type: a directory, there or to be made."""
    if os.path.exists(text) and not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text}: must be a directory, and a file is there")
    return text


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        "-c",
        metavar="FILE",
        default=os.environ.get("EDGE_AGENT_CONFIG", SYSTEM_CONFIG),
        help="the configuration (default: $EDGE_AGENT_CONFIG or %(default)s)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")


def settings(path: str) -> Settings:
    """Raises CliError with every fault of the configuration on a line of its own."""
    try:
        return load(Path(path))
    except ConfigError as error:
        raise CliError(Exit.CONFIG, str(error)) from error


def state_directory(of: Settings, state: str | None) -> Path:
    """Where the agent keeps its files now, be it in a refuge from its card: --state wins.

    Raises CliError where a file is.
    """
    directory = Path(state or of.storage.directory)
    if os.path.exists(directory) and not os.path.isdir(directory):  # unlike those of Path, they never raise
        raise CliError(Exit.CONFIG, f"storage.directory = {directory}: must be a directory, and a file is there")
    return in_use(directory)


@contextmanager
def without_complaints(*loggers: str) -> Iterator[None]:
    """What these complain of is told by the command itself, or was recorded long ago."""
    levels = {logger: logger.level for logger in map(logging.getLogger, loggers)}
    try:
        for logger in levels:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextmanager
def archive(directory: Path) -> Iterator[Archive]:
    """The agent's file, to read while it runs. Raises CliError where there is none, and for its faults inside."""
    try:
        found = Archive.open(directory)
    except StorageError as error:
        raise CliError(Exit.NO_AGENT, str(error)) from error
    try:
        yield found
    except StorageError as error:
        raise CliError(Exit.FAULT, str(error)) from error


def health_in(memory: Mapping[str, bytes]) -> LastHealth | None:
    """What the agent last said of itself; None before its first minute."""
    row = memory.get("health")
    if row is None:
        return None
    try:
        return last_health(row)
    except (ValueError, KeyError, TypeError) as error:
        raise CliError(Exit.FAULT, f"memory row 'health' holds {row[:80]!r}: {error}") from error


def alarms_in(memory: Mapping[str, bytes]) -> list[Alarm]:
    """Those that stand, the worst first."""
    try:
        found = from_rows({key: value for key, value in memory.items() if key.startswith("alarm/")})
    except ValueError as error:
        raise CliError(Exit.FAULT, str(error)) from error
    standing = [alarm for alarm in found.alarms.values() if alarm.state is not AlarmState.NORMAL]
    return sorted(standing, key=lambda alarm: (list(Priority).index(alarm.priority), alarm.name))


def limits_in(memory: Mapping[str, bytes]) -> dict[str, dict[str, float]]:
    """By place: what `set` has set of it."""
    try:
        found = from_rows({key: value for key, value in memory.items() if key.startswith(LIMITS)})
    except ValueError as error:
        raise CliError(Exit.FAULT, str(error)) from error
    return {place: dict(limits) for place, limits in found.limits.items() if limits}


def machine_now() -> Instant:
    return ClockWatch(SystemClock()).now()


def console() -> "Console":
    """Tables that are piped into a file or another command are not cut to a terminal's width."""
    from rich.console import Console  # here: `run` draws nothing, and need not hold it in memory

    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = PIPED_WIDTH
    return made


def duration(seconds: float | None) -> str:
    """
    >>> [duration(s) for s in (None, 0.4, 95, 7300, 200_000)]
    ['-', '0 s', '95 s', '2 h 02 min', '2 d 7 h']
    """
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state", metavar="DIR", type=folder, help="the agent's files, where they are not in storage.directory"
    )


def counted(number: int, word: str, many: str = "") -> str:
    """
    >>> counted(1, "sensor"), counted(0, "fault"), counted(2, "shelf", "shelves")
    ('1 sensor', '0 faults', '2 shelves')
    """
    return f"{number} {word if number == 1 else many or word + 's'}"


def print_json(value: Mapping[str, Any], out: TextIO | None = None) -> None:
    (out or sys.stdout).write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
