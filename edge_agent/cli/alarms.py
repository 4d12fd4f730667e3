"""Which alarms stand, the worst first: their state, how often they came within a day, who did what, and what to do.

Reads the agent's files, so it works without a broker. Exit code 0 when none stands, 1 when one does; one that is
shelved or out of service is listed and does not count.

  edge-agent alarms
  edge-agent alarms --json | jq -r 'select(.state == "unacknowledged") | .alarm'
"""

import argparse
from typing import Any

from rich.table import Table

from edge_agent.cli.common import (
    add_config,
    add_json,
    add_state,
    alarms_in,
    archive,
    console,
    print_json,
    settings,
    state_directory,
)
from edge_agent.cli.exits import Exit
from edge_agent.domain.alarm import Alarm, AlarmState

HIDDEN = (AlarmState.SHELVED, AlarmState.OUT_OF_SERVICE)


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    add_config(parser)
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Exit:
    with archive(state_directory(settings(args.config), args.state)) as found:
        standing = alarms_in(found.memory())
    if args.json:
        for alarm in standing:
            print_json(told(alarm))
    elif standing:
        _show(standing)
    else:
        console().print("no alarm stands")
    return Exit.FAULT if any(alarm.state not in HIDDEN for alarm in standing) else Exit.OK


def told(alarm: Alarm) -> dict[str, Any]:
    """One alarm as JSON; None where there is nothing to say."""
    return {
        "alarm": alarm.name,
        "priority": alarm.priority.value,
        "state": alarm.state.value,
        "active": alarm.is_active,
        "since": alarm.since.rfc3339(),
        "count_24h": len(alarm.raised),
        "value": alarm.value,
        "limit": alarm.limit,
        "unit": alarm.unit or None,
        "by": alarm.who or None,
        "shelved_until": None if alarm.shelved_until is None else alarm.shelved_until.rfc3339(),
        "asks_correction": alarm.asks_correction,
        "message": alarm.message,
        "action": alarm.action,
        "evidence": alarm.evidence or None,
    }


def _show(standing: list[Alarm]) -> None:
    table = Table("alarm", "priority", "state", "since", "in 24 h", "what", "to do")
    for alarm in standing:
        count = str(len(alarm.raised)) if alarm.raised else "-"
        table.add_row(
            alarm.name, alarm.priority.value, in_words(alarm), alarm.since.rfc3339(), count, _what(alarm), _to_do(alarm)
        )
    console().print(table)


def in_words(alarm: Alarm) -> str:
    """The state, with who and until when."""
    if alarm.state is AlarmState.SHELVED and alarm.shelved_until is not None:
        return f"shelved until {alarm.shelved_until.rfc3339()} by {alarm.who}"
    if alarm.state in (AlarmState.ACKNOWLEDGED, AlarmState.OUT_OF_SERVICE) and alarm.who:
        return f"{alarm.state.value} by {alarm.who}{'' if alarm.is_active else ', over'}"
    return alarm.state.value


def _what(alarm: Alarm) -> str:
    return f"{alarm.message}: {alarm.evidence}" if alarm.evidence else alarm.message


def _to_do(alarm: Alarm) -> str:
    if alarm.asks_correction and not alarm.is_active:
        return f'say what was done: edge-agent correct {alarm.name} "..."'
    return alarm.action
