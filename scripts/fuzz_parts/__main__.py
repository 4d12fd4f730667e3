"""scripts/fuzz: throws random and hostile payloads at the agent, and checks what they did.

  scripts/fuzz commands                      100,000 commands through the MQTT room into the real store
  scripts/fuzz commands --count 5000 --seed 7

Exit code: 0 every goal met; 1 a goal missed; 2 usage.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fuzz_parts.commands import Verdict, fuzz

WIDTH = 140


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    began_s = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began_s:7.1f} s  {words}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(dir=args.directory) as folder:
        verdict = fuzz(Path(folder), args.count, args.seed, say)
    show(verdict)
    print(json.dumps(verdict.told() | {"seed": args.seed, "seconds": round(time.monotonic() - began_s)}))
    return 0 if verdict.is_met else 1


def show(verdict: Verdict) -> None:
    out = Console(width=WIDTH, highlight=False)
    table = Table("payloads", title="fuzz commands", title_justify="left")
    for heading in ("sent", "silent", "answers by code"):
        table.add_column(heading, justify="left" if "code" in heading else "right")
    for kind, tally in sorted(verdict.kinds.items()):
        codes = ", ".join(f"{code} {count}" for code, count in sorted(tally.codes.items()))
        table.add_row(kind, str(tally.sent), str(tally.silent), codes)
    out.print(table)
    goals = Table("what", "found", "goal")
    for name, found in verdict.goals().items():
        goals.add_row(name, str(found), "0")
    out.print(goals)
    for words in verdict.examples:
        out.print(words, markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("commands",))
    parser.add_argument("--count", type=int, default=100_000, metavar="N", help="payloads (default: 100000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another one, other payloads (default: 1)")
    parser.add_argument("--directory", metavar="DIR", help="where the agent's files go (default: a temporary one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
