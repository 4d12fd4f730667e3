"""Run the agent until it is stopped: measure, keep, warn, publish.

On a Raspberry Pi systemd does this; by hand it is a way to look. With --table a live table of shelves and
climate is drawn; SIGTERM or Ctrl-C stops cleanly within 5 s.

  edge-agent run --config config/simulated.toml --table
"""

import argparse
import gc
import logging
import signal
import threading

from edge_agent.cli.common import add_config, add_state, positive_seconds, state_directory
from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import ConfigError, load_apart
from edge_agent.domain.settings import SettingsError
from edge_agent.drivers.errors import BoardError
from edge_agent.mqtt.embedded import EmbeddedBrokerError
from edge_agent.service.main import serve
from edge_agent.storage.errors import StorageError

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"  # journald adds the time


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    add_config(parser)
    add_state(parser)
    parser.add_argument("--table", action="store_true", help="draw a live table of shelves and climate")
    parser.add_argument("--for", dest="for_s", type=positive_seconds, metavar="S", help="stop after so many seconds")


def run(args: argparse.Namespace) -> Exit:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        first = load_apart(args.config)
    except ConfigError as error:
        raise CliError(Exit.CONFIG, str(error)) from error
    gc.collect()  # what imports leave behind would be mapped for good
    state_directory(first, args.state)  # a wrong one is told before anything is opened
    logging.basicConfig(level=first.log.level.upper(), format=LOG_FORMAT)
    on_cycle = None
    if args.table:
        from edge_agent.cli.table import LiveTable

        logging.getLogger().setLevel(logging.ERROR)  # lines of the log would tear the table
        on_cycle = LiveTable(first, args.config)
    if args.for_s is not None:
        timer = threading.Timer(args.for_s, stop.set)
        timer.daemon = True
        timer.start()
    try:
        serve(lambda: load_apart(args.config), stop, directory=args.state, on_cycle=on_cycle, first=first)
    except ConfigError as error:
        raise CliError(Exit.CONFIG, str(error)) from error
    except SettingsError as error:
        raise CliError(Exit.CONFIG, f"{args.config}: board: {error}") from error
    except (BoardError, StorageError, EmbeddedBrokerError, OSError) as error:
        raise CliError(Exit.FAULT, str(error)) from error
    finally:
        if on_cycle is not None:
            on_cycle.close()
    return Exit.OK
