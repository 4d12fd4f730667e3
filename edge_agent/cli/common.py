"""What several commands share: the configuration option, JSON output, opening the store to read."""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import ConfigError, Settings, load
from edge_agent.storage.archive import Archive
from edge_agent.storage.errors import StorageError

SYSTEM_CONFIG = "/etc/edge-agent/edge-agent.toml"


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
    """Where the agent keeps its files: --state wins."""
    return Path(state or of.storage.directory)


def open_archive(directory: Path) -> Archive:
    """The agent's file, to read while it runs."""
    try:
        return Archive.open(directory)
    except StorageError as error:
        raise CliError(Exit.NO_AGENT, str(error)) from error


def add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", metavar="DIR", help="the agent's files, where they are not in storage.directory")


def print_json(value: Mapping[str, Any], out: TextIO | None = None) -> None:
    (out or sys.stdout).write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
