"""Check every part of this machine: each finding is ok, warn or fail, and what is not ok has its cure.

Configuration, user and groups, device nodes and overlays, buses and chips, clock, card, database, broker (name, port,
TLS, certificates, password, access rules), service, version. Changes nothing, and needs no running agent. While one
runs its chips and its session at the broker are left alone: the agent itself is asked how they fare.

Exit code 0 when all is well, 1 when something is to be looked at, 2 when something does not work.

edge-agent doctor
edge-agent doctor --config config/simulated.toml
edge-agent doctor --json | jq -c 'select(.verdict != "ok")'
"""

import argparse
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.cli.common import (
    add_config,
    add_json,
    add_state,
    console,
    machine_now,
    print_json,
    without_complaints,
)
from edge_agent.config import ConfigError, Settings, load
from edge_agent.domain.settings import SettingsError
from edge_agent.drivers.errors import BoardError
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.service.health import LastHealth
from edge_agent.service.models import models_of
from edge_agent.service.refuge import in_use
from edge_agent.setup import broker_check, chip_check, files_check, machine_check, running, unit_check
from edge_agent.setup.broker_check import Time
from edge_agent.setup.finding import Finding, Verdict, exit_code, fail, ok, warn
from edge_agent.setup.machine_check import Machine, User
from edge_agent.storage.settings import StorageSettings

PI = "raspberry-pi"
_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    add_config(parser)
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    findings = []
    with without_complaints("edge_agent.drivers", "edge_agent.mqtt", "edge_agent.service.models"):
        for finding in examine(Path(args.config), args.state):
            findings.append(finding)
            if args.json:
                told = {"part": finding.part, "verdict": finding.verdict.value, "words": finding.words}
                print_json(told | ({"cure": finding.cure} if finding.cure else {}))
            else:
                _show(finding)
    if not args.json:
        print(verdict(findings))
    return exit_code(findings)


def verdict(findings: list[Finding]) -> str:
    """
    >>> verdict([ok("disk", "")]), verdict([ok("disk", ""), warn("clock", "", ""), fail("bus", "", "")])
    ('all is well (1 finding)', '3 findings: 1 to be looked at, 1 that does not work')
    """
    counts = {each: sum(found.verdict is each for found in findings) for each in Verdict}
    total = f"{len(findings)} finding{'s' * (len(findings) != 1)}"
    if counts[Verdict.OK] == len(findings):
        return f"all is well ({total})"
    return f"{total}: {counts[Verdict.WARN]} to be looked at, {counts[Verdict.FAIL]} that does not work"


def examine(config: Path, state: str | None) -> Iterator[Finding]:
    """Part after part, each as soon as it is known."""
    clock, machine = SystemClock(), Machine()
    at = Time(datetime.fromtimestamp(clock.wall_s(), UTC), clock.is_synchronised())
    agent = machine_check.user_called(machine_check.AGENT)
    user = agent or machine_check.this_user()
    yield unit_check.version()
    yield from unit_check.rolled_back()
    yield from unit_check.unit()
    yield machine_check.who(user, is_agent=agent is not None)
    yield from machine_check.clock(at.now, machine, is_synchronised=at.is_synchronised)
    try:
        chosen = load(config)
    except ConfigError as error:
        yield from _unusable(config, error)
        yield from _files(Path(state or StorageSettings().directory), user, 200.0, machine)
        return
    yield ok("configuration", f"{config}: no fault")
    directory = Path(state or chosen.storage.directory)
    yield from _files(directory, user, chosen.alarms.disk_free_mb, machine)
    found = _running(directory)
    yield from _chips(chosen, machine, user, found)
    yield from files_check.scales(chosen.shelves, in_use(directory))
    yield from _broker(chosen, at, found)
    yield from unit_check.models(models_of(chosen.models, directory), enabled=chosen.models.enabled)


def _show(finding: Finding) -> None:
    from rich.text import Text

    line = Text.assemble(
        (f"{finding.verdict.value:4}", _STYLES[finding.verdict]), f"  {finding.part:13} {finding.words}"
    )
    out = console()
    out.print(line, soft_wrap=True)
    if finding.cure:
        out.print(f"      {'':13} -> {finding.cure}", soft_wrap=True, markup=False)


def _unusable(config: Path, error: ConfigError) -> Iterator[Finding]:
    if isinstance(error.__cause__, FileNotFoundError):
        yield fail("configuration", f"{config}: there is no such file", "`sudo edge-agent setup` makes one")
        return
    if isinstance(error.__cause__, PermissionError):
        yield fail("configuration", f"{config}: this user may not read it", files_check.AS_ROOT)
        return
    for fault in error.faults:
        cure = f"correct it, then `edge-agent config check {config}`"
        if "/run/credentials/" in str(fault):
            cure = "systemd puts it there while the unit runs: start it, or see /etc/credstore (docs/deployment.md)"
        yield fail("configuration", str(fault), cure)


def _files(directory: Path, user: User, least_mb: float, machine: Machine) -> Iterator[Finding]:
    yield from machine_check.disk(directory, user, least_mb)
    yield from machine_check.wear(machine)
    if in_use(directory) != directory:
        words = f"the agent works in RAM ({in_use(directory)}), because its card takes no writes"
        yield fail("disk", words, "free some space, or replace the card; nothing is lost while the power stays")
    yield from files_check.databases(directory)


def _running(directory: Path) -> LastHealth | int | None:
    """The last word of an agent that runs there, or its process while it has not said any; None when none runs."""
    directory = in_use(directory)
    told, pid = files_check.health(directory), running.holder(directory)
    if told is not None and told.is_alive(machine_now()):
        return told
    return pid


def _chips(chosen: Settings, machine: Machine, user: User, found: LastHealth | int | None) -> Iterator[Finding]:
    if chosen.board.kind == PI:
        yield from machine_check.needs(chosen, machine, user)
    if isinstance(found, LastHealth):
        yield from chip_check.as_told(found.told)
        return
    if found is not None:
        yield warn("sensor", f"an agent runs (process {found}) and has not told of its sensors yet", "ask in a minute")
        return
    yield from _asked(chosen)


def _asked(chosen: Settings) -> Iterator[Finding]:
    from edge_agent.service.build import open_board  # here: a machine whose configuration is wrong needs no drivers

    try:
        board = open_board(chosen)
    except (SettingsError, BoardError, OSError) as error:
        yield fail("board", f"it cannot be opened: {error}", "see [board] in the configuration")
        return
    with closing(board), board.driving():
        if board.moments() is not None:
            yield ok("board", "a recording: there is no chip to ask")
            return
        yield from chip_check.chips(chosen.sensors, board)


def _broker(chosen: Settings, at: Time, found: LastHealth | int | None) -> Iterator[Finding]:
    mqtt, node = chosen.mqtt, chosen.node
    if mqtt.embedded:
        yield ok("broker", "it is inside the agent (mqtt.embedded), for a first look")
        return
    reached = list(broker_check.reach(mqtt, at))
    yield from reached
    if mqtt.tls is not None:
        yield from broker_check.certificates(mqtt.tls, node.name, at)
    if isinstance(found, LastHealth):
        yield from files_check.as_told(found.told)
    elif found is None and not any(finding.verdict is Verdict.FAIL for finding in reached):
        yield from broker_check.loop_back(mqtt, node.site, node.name)
