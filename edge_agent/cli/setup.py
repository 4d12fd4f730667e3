"""Make a configuration: find what is plugged in, ask the rest in plain words, check it, write it.

Looks at every I2C bus of the header (chips behind a TCA9548A too) and at the 1-Wire bus, reads only, and proposes what
it found. Every question has a default: Enter takes it. An existing file is replaced only when you say so, and a copy
of it is kept. The agent must stand still meanwhile: `systemctl stop edge-agent`.

Without a terminal: `--yes` takes every default (with --replace also an existing file); `--answers FILE` has one answer
a line in TOML, by the keys that `--show-questions` prints; what is not in it is the default.

edge-agent setup                                          at the Raspberry Pi
edge-agent setup --yes --config /tmp/trial.toml           no question; look at what it would propose
edge-agent setup --answers answers.toml --replace
edge-agent setup --board config/simulated.toml --config trial.toml     with the simulated chips of that configuration
"""

import argparse
import os
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from edge_agent.cli.common import add_config, add_json, counted, folder, machine_now, print_json, settings
from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import ConfigError, Settings, load
from edge_agent.domain.settings import SettingsError
from edge_agent.drivers.errors import BoardError
from edge_agent.drivers.seam import Board
from edge_agent.setup import ask, interview, keep, proposal, running, unit_check
from edge_agent.setup.buses import Plugged, header_buses, look
from edge_agent.setup.interview import Interview, Question, Source, Unanswered
from edge_agent.storage.settings import StorageSettings

PI = "raspberry-pi"
DEV = Path("/dev")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    answered = parser.add_mutually_exclusive_group()
    answered.add_argument("--yes", action="store_true", help="ask nothing: take every default")
    answered.add_argument("--answers", metavar="FILE", help="answers in TOML, by the questions' keys")
    parser.add_argument(
        "--replace", action="store_true", help="an existing configuration may be replaced (a copy stays)"
    )
    parser.add_argument("--show-questions", action="store_true", help="with each question its key for --answers")
    parser.add_argument("--board", metavar="FILE", help="look at the board of this configuration, e.g. a simulated one")
    parser.add_argument("--state", metavar="DIR", type=folder, help="where the agent is to keep its files")
    add_config(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Exit:
    path, tell = Path(args.config), _teller(args)
    _refuse_what_cannot_be_written(path)
    _refuse_while_it_runs(path, args.state)
    answers = _answers(args.answers)
    with _opened(args.board) as (kind, board, buses):
        plugged = look(board, buses, machine_now())
    _tell_plugged(plugged, buses, tell)
    asking = Interview(*_source(args, answers, tell))
    try:
        found = ask.ask(
            asking,
            plugged,
            hostname=socket.gethostname(),
            timezone=local_timezone(),
            board=kind,
            state=args.state or "",
        )
        text = proposal.text(found)
        if not (found.climates or found.cells or found.wired):
            raise CliError(Exit.FAULT, "no sensor was found and none was named, so there is nothing to write")
        made = _checked(text, path)
        copy = _copy(path, asking, may_replace=args.replace)
    except Unanswered as error:
        raise CliError(Exit.USAGE, f"{args.answers or '--yes'}: {error}") from error
    for wrong in interview.left_over(answers, asking):
        raise CliError(Exit.USAGE, f"{args.answers}: {wrong}")
    try:
        keep.put(text, path, copy)
    except OSError as error:
        raise CliError(Exit.FAULT, f"{path}: cannot be written: {error.strerror}: sudo, or another --config") from error
    shelves = [shelf.name for shelf in made.shelves]
    if args.json:
        print_json(_told(path, copy, plugged, asking, shelves))
    for line in _next(path, copy, len(asking.asked), len(made.sensors), shelves):
        tell(line)
    return Exit.OK


def _teller(args: argparse.Namespace) -> Callable[[str], None]:
    """With --json the standard output is for programmes."""
    out = sys.stderr if args.json else sys.stdout

    def tell(line: str) -> None:
        print(line, file=out, flush=True)

    return tell


def _refuse_while_it_runs(path: Path, state: str | None) -> None:
    directories = {Path(state or StorageSettings().directory)}
    with suppress(ConfigError):  # there is none yet, or one that is to be replaced because it does not work
        directories.add(Path(load(path).storage.directory))
    for directory in directories:
        pid = running.holder(directory)
        if pid is not None:
            raise CliError(
                Exit.REFUSED,
                f"an agent runs on {directory} (process {pid}), and two programmes on one bus disturb one another: "
                "`systemctl stop edge-agent` first",
            )


def _refuse_what_cannot_be_written(path: Path) -> None:
    """Before the first question, not after the last."""
    nearest = next(folder for folder in path.absolute().parents if os.path.exists(folder))
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=True):
        raise CliError(Exit.FAULT, f"{path}: this user may not write there: sudo edge-agent setup, or another --config")


def _answers(file: str | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        found = tomllib.loads(Path(file).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CliError(Exit.USAGE, f"{file}: cannot be read as answers: {error}") from error
    flat = dict(_flat("", found))
    for key, value in flat.items():
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise CliError(Exit.USAGE, f"{file}: {key} = {value!r}: must be a text or a number")
    return {key: str(value) for key, value in flat.items()}


def _flat(above: str, table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """`broker.port = 1883` is a table in a table for TOML."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(f"{above}{key}.", value)
        else:
            yield f"{above}{key}", value


@contextmanager
def _opened(file: str | None) -> Iterator[tuple[str, Board, list[str]]]:
    """The kind of the board, the board, and its buses."""
    from edge_agent.drivers import raspberry_pi  # here: `--help` needs neither
    from edge_agent.service.build import open_board

    try:
        if file is None:
            kind, buses = PI, header_buses(DEV)
            board = raspberry_pi.open_board(raspberry_pi.Settings(), ())
        else:
            chosen = settings(file)
            kind, board = chosen.board.kind, open_board(chosen)
            named = {getattr(sensor.settings, "bus", None) for sensor in chosen.sensors}
            buses = sorted(bus for bus in named if isinstance(bus, str)) or ["i2c-1"]
    except (SettingsError, BoardError, OSError) as error:
        raise CliError(Exit.FAULT, f"the board cannot be opened: {error}") from error
    try:
        with board.driving():
            if board.moments() is not None:
                raise CliError(Exit.USAGE, f"{file}: a recording has no chips to find")
            yield kind, board, buses
    finally:
        board.close()


def _tell_plugged(plugged: Plugged, buses: list[str], tell: Callable[[str], None]) -> None:
    tell(f"Looked at {', '.join(buses)} and at 1-Wire.")
    for chip in plugged.chips:
        value = plugged.values.get(chip.spot.key)
        doubt = "" if chip.is_sure else " (not sure)"
        tell(f"  {chip.spot.words}: {chip.words}{doubt}" + (f": {value}" if value else ""))
    for probe in plugged.probes:
        tell(f"  1-Wire {probe}: DS18B20" + (f": {plugged.values[probe]}" if probe in plugged.values else ""))
    for trouble in plugged.trouble:
        tell(f"  {trouble}")
    if not (plugged.chips or plugged.probes):
        tell("  Nothing answers. Check plugs and wires; `edge-agent doctor` says whether the buses are switched on.")
    tell("")


def _source(
    args: argparse.Namespace, answers: Mapping[str, str], tell: Callable[[str], None]
) -> tuple[Source, Callable[[str], None] | None]:
    if args.yes:
        return interview.of_nobody, None
    if args.answers:
        return interview.of_answers(answers), None

    def person(question: Question) -> str:
        key = f"[{question.key}] " if args.show_questions else ""
        tell(f"{key}{question.words}")
        print(f"  [{question.default}]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise CliError(Exit.USAGE, "nobody answers: without a terminal use --yes, or --answers FILE")
        return line

    return person, tell


def _checked(text: str, path: Path) -> Settings:
    try:
        return keep.checked(text, path)
    except ConfigError as error:
        raise CliError(Exit.CONFIG, f"nothing was written; with these answers it would be wrong:\n{error}") from error


def _copy(path: Path, asking: Interview, *, may_replace: bool) -> Path | None:
    """Where the present file goes; None when there is none. Nothing is replaced unasked."""
    if not path.exists():
        return None
    copy = keep.copy_name(path, datetime.now())  # noqa: DTZ005 (a name for people, in their own time)
    words = f"{path} is there already. Replace it? (it stays as {copy.name})"
    if may_replace or asking.yes("replace", words, default=False):
        return copy
    raise CliError(Exit.REFUSED, f"{path} was left as it is: another --config, or --replace")


def _told(
    path: Path, copy: Path | None, plugged: Plugged, asking: Interview, shelves: list[str]
) -> Mapping[str, object]:  # fmt: skip
    return {
        "file": str(path),
        "copy": None if copy is None else str(copy),
        "found": [
            {"at": chip.spot.key, "driver": chip.driver, "words": chip.words, "sure": chip.is_sure}
            for chip in plugged.chips
        ]
        + [{"at": probe, "driver": "ds18b20", "words": "DS18B20", "sure": True} for probe in plugged.probes],
        "trouble": list(plugged.trouble),
        "questions": [question.key for question in asking.asked],
        "to_calibrate": shelves,
    }


def _next(path: Path, copy: Path | None, questions: int, sensors: int, shelves: list[str]) -> Iterator[str]:
    yield ""
    kept = f"; the one before is {copy.name}" if copy is not None else ""
    yield f"{path} is written, with {counted(sensors, 'sensor')}{kept}. {counted(questions, 'question')} asked."
    yield "Next:"
    here = "" if str(path) == "/etc/edge-agent/edge-agent.toml" else f" --config {path}"
    yield "  " + _start(here)
    sudo = "" if here else "sudo "
    for shelf in shelves:
        yield f"  {sudo}edge-agent calibrate {shelf}{here}    with a known weight; before it no weight is right"
    yield f"  {sudo}edge-agent doctor{here}    whether all is well"
    yield f"  {sudo}edge-agent test-alarm{here}    light, buzzer and message"
    yield f"  {sudo}edge-agent watch{here} --for 60    what the broker gets"


def _start(here: str) -> str:
    """As this machine has it."""
    if here:
        return f"edge-agent run{here}    in a second terminal"
    if unit_check.SYSTEMD.exists():
        return "sudo systemctl enable --now edge-agent    it starts now, and with the machine"
    return "sudo -u edge-agent edge-agent run    in a second terminal: no systemd runs here"


def local_timezone() -> str:
    from tzlocal import get_localzone_name

    return str(get_localzone_name() or "UTC")
