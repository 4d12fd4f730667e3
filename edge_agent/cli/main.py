"""`edge-agent`: reads the command, imports its module and no other, and turns faults into exit codes."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from edge_agent import __version__
from edge_agent.cli.exits import EXITS, CliError, Exit

# name -> (module, one line of help)
COMMANDS = {
    "setup": ("setup", "find what is plugged in, ask the rest, and write a configuration"),
    "doctor": ("doctor", "check every part of this machine; each finding with its cure"),
    "test-alarm": ("test_alarm", "light, buzzer and a message marked as a test, through the whole path"),
    "run": ("run", "run the agent: measure, keep, warn, publish"),
    "replay": ("replay", "play recorded traces through the whole agent, as fast as it can"),
    "watch": ("watch", "follow a node's messages at the broker, without gaps and duplicates"),
    "status": ("status", "how the agent on this machine is doing"),
    "sensors": ("sensors", "what is connected, last good values, error ratios"),
    "config": ("config", "check a configuration"),
    "tare": ("command", "set a container on a shelf aside"),
    "zero": ("command", "correct the zero of an empty shelf"),
    "count": ("command", "tell how many pieces lie on a shelf"),
    "alarms": ("alarms", "which alarms stand, and what to do"),
    "acknowledge": ("alarm_command", "say that an alarm was seen"),
    "silence": ("alarm_command", "turn an alarm's sound off for a while"),
    "shelve": ("alarm_command", "set an alarm aside, with an end"),
    "unshelve": ("alarm_command", "bring a shelved alarm back before its end"),
    "out-of-service": ("alarm_command", "take an alarm out of service, with a reason"),
    "in-service": ("alarm_command", "put an alarm back in service"),
    "correct": ("alarm_command", "say what was done about an alarm"),
    "calibrate": ("scale_calibrate", "calibrate a scale with known weights, step by step"),
    "set": ("set_command", "set limits of a place, or take them back"),
    "receive": ("goods_command", "tell what was delivered"),
    "waste": ("goods_command", "tell what was thrown away"),
    "move": ("lot_command", "tell that a lot lies elsewhere now"),
    "outcome": ("lot_command", "tell what became of a lot: sold fresh, marked down, wasted"),
    "lots": ("lots", "what lies where, first expired first, and how long it will keep"),
    "identify": ("node_command", "make this node's light blink"),
    "reload": ("node_command", "read the configuration again"),
    "resend": ("node_command", "send numbers of a stream to the broker once more"),
    "command": ("sign", "sign a command for a node elsewhere"),
    "key": ("sign", "make a key that signs commands"),
    "models": ("models", "the models on this node: list, verify, install, promote, roll back, sign"),
    "scale": ("scale", "look at a scale: live weight, or what it can and cannot do"),
    "history": ("history", "readings of a channel, as CSV"),
    "report": ("report", "what an inspector reads: temperatures, excursions, alarms, what was done"),
    "record": ("record", "whether the inspector's record is still what was written"),
    "backtest": ("backtest", "judge the models on data of your own: forecasts against what came"),
    "import": ("import_command", "bring in sales of the till, a weather forecast, plans"),
    "bench": ("bench", "measure this machine: readings, commits and messages per second"),
}

EPILOG = """\
examples:
  edge-agent config check /etc/edge-agent/edge-agent.toml
  edge-agent run --config config/simulated.toml
  edge-agent tare shelf-1 --config /etc/edge-agent/edge-agent.toml
  edge-agent history cold-room/temperature --since 2026-11-01 > november.csv
  edge-agent report haccp --from 2026-11-01 --to 2026-11-30 --html --out november.html
  edge-agent replay config/replay/saveris.toml --trace saveris_values.csv.gz --out -

exit codes:
"""


def parser(asked: str | None = None) -> argparse.ArgumentParser:
    """The whole command line; with ``asked`` only that command's arguments are filled in."""
    codes = "".join(f"  {code.value}  {words}\n" for code, words in EXITS.items())
    top = argparse.ArgumentParser(
        prog="edge-agent",
        description="Storeroom agent: from the sensors of a storeroom to the broker, with nothing lost.",
        epilog=EPILOG + codes,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"edge-agent {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module_name, words) in COMMANDS.items():
        if asked not in (None, name):
            commands.add_parser(name, help=words)  # another command's module is not worth its import
            continue
        module = import_module(f"edge_agent.cli.{module_name}")
        sub = commands.add_parser(
            name,
            help=words,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub, name)
        sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    args = parser(next((word for word in words if word in COMMANDS), None)).parse_args(words)
    try:
        code = int(args.run(args))
        _flush()  # here, where a reader that went away can still be told from a fault of ours
        return code
    except CliError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        with suppress(CliError, BrokenPipeError):  # one fault is told already
            _flush()
        return error.exit.value
    except BrokenPipeError:
        _forget_output()  # the reader went away (`| head`): not our fault
        return Exit.OK.value
    except KeyboardInterrupt:
        return Exit.INTERRUPTED.value


def _flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _forget_output()
        raise CliError(Exit.FAULT, f"standard output: {error.strerror}") from error


def _forget_output() -> None:
    """What is still in the buffer goes nowhere, or the interpreter would complain about it when it ends."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
