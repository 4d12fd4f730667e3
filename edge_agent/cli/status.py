"""How the agent on this machine is doing: whether it runs, what waits for the broker, what is wrong.

Reads the agent's files (in RAM, while the card takes no writes), so it works without a broker and after the agent has
died. Exit code 0 when the agent runs
and no alarm stands, 1 when an alarm stands, 4 when no agent runs here.

  edge-agent status --config /etc/edge-agent/edge-agent.toml
  edge-agent status --json | jq .waiting
"""

import argparse
from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from edge_agent.cli.common import (
    add_config,
    add_json,
    add_state,
    alarms_in,
    archive,
    console,
    duration,
    health_in,
    limits_in,
    machine_now,
    print_json,
    settings,
    state_directory,
)
from edge_agent.cli.exits import Exit
from edge_agent.config import Settings
from edge_agent.domain.alarm import Alarm
from edge_agent.domain.instant import Instant
from edge_agent.service.health import LastHealth
from edge_agent.storage.stats import Stats


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    add_config(parser)
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    with archive(state_directory(chosen, args.state)) as found:
        memory, stats = found.memory(), found.stats()
    health, alarms = health_in(memory), alarms_in(memory)
    told = report(chosen, stats, health, alarms, machine_now()) | {"set": limits_in(memory)}
    if args.json:
        print_json(told)
    else:
        _show(told)
    return verdict(told)


def verdict(told: Mapping[str, Any]) -> Exit:
    """
    >>> [verdict({"running": r, "alarms": a}).name for r, a in ((True, []), (True, ["storage"]), (False, ["storage"]))]
    ['OK', 'FAULT', 'NO_AGENT']
    """
    if not told["running"]:
        return Exit.NO_AGENT
    return Exit.FAULT if told["alarms"] else Exit.OK


def report(
    chosen: Settings, stats: Stats, health: LastHealth | None, alarms: list[Alarm], now: Instant
) -> dict[str, Any]:
    """Everything there is to say, ready for JSON; None where nobody knows."""
    told: Mapping[str, Any] = health.told if health is not None else {}
    streams = {
        stream.value: {
            "last_seq": found.last_seq,
            "rows": found.rows,
            "waiting": found.pending,
            "refused": sum(found.refused.values()),
            "dropped": sum(found.dropped.values()),
        }
        for stream, found in stats.streams.items()
    }
    return {
        "site": chosen.node.site,
        "node": chosen.node.name,
        "epoch": stats.epoch,
        "running": health is not None and health.is_alive(now),
        "state": state(health, now),
        "told_at": health.at.rfc3339() if health is not None else None,
        "uptime_s": told.get("uptime_s"),
        "clock": told.get("system_clock"),
        "commands": told.get("command_path"),
        "rss_mb": told.get("rss_mb"),
        "cpu_c": told.get("cpu_c"),
        "waiting": sum(found.pending for found in stats.streams.values()),
        "database_mb": round(stats.file_bytes / 1e6, 2),
        "disk_free_mb": round(stats.free_disk_bytes / 1e6),
        "streams": streams,
        "removed": dict(stats.removed),
        "alarms": [
            {
                "alarm": alarm.name,
                "priority": alarm.priority.value,
                "state": alarm.state.value,
                "since": alarm.since.rfc3339(),
                "message": alarm.message,
                "action": alarm.action,
            }
            for alarm in alarms
        ],
    }


def state(health: LastHealth | None, now: Instant) -> str:
    """In words: whether it runs, and how we know."""
    if health is None:
        return "has not said anything yet"
    if health.is_alive(now):
        return f"runs; told {duration(max(0.0, health.at.age_s(now)))} ago"
    if not health.is_running:
        return f"was stopped at {health.at.rfc3339()}"
    if health.at.boot != now.boot:
        return f"gave its last sign of life in an earlier boot, at {health.at.rfc3339()}"
    return f"gives no sign of life since {health.at.rfc3339()}"


def _show(told: Mapping[str, Any]) -> None:
    out = console()
    facts = Table(box=None, show_header=False, pad_edge=False)
    state_style = "" if told["running"] else "bold red"
    facts.add_row("agent", Text(f"{told['site']}/{told['node']}  {told['state']}", style=state_style))
    facts.add_row("up", duration(told["uptime_s"]))
    facts.add_row("clock", told["clock"] or "-")
    facts.add_row("commands by MQTT", told["commands"] or "-")
    facts.add_row("memory, processor", f"{_number(told['rss_mb'], 'MiB')}, {_number(told['cpu_c'], '°C')}")
    facts.add_row("data", f"{told['database_mb']:.1f} MB in epoch {told['epoch']}; {told['disk_free_mb']} MB free")
    out.print(facts)
    streams = Table("stream", title="Outbox", title_justify="left")
    for heading in ("last number", "rows", "waiting", "refused", "dropped"):
        streams.add_column(heading, justify="right")
    for name, found in told["streams"].items():
        streams.add_row(name, *(str(found[key]) for key in ("last_seq", "rows", "waiting", "refused", "dropped")))
    out.print(streams)
    for place, limits in told["set"].items():
        words = ", ".join(f"{key} = {value:g}" for key, value in limits.items())
        out.print(f"set of {place}, in place of the configuration: {words}")
    if not told["alarms"]:
        out.print("no alarm stands")
        return
    alarms = Table("alarm", "priority", "state", "since", "what", "to do", title="Alarms", title_justify="left")
    for alarm in told["alarms"]:
        alarms.add_row(*(alarm[key] for key in ("alarm", "priority", "state", "since", "message", "action")))
    out.print(alarms)


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f} {unit}"
