"""scripts/chaos: tries to lose something, and says what was lost.

  scripts/chaos kill --times 200     SIGKILL at any moment of the agent's life, against a real Mosquitto
  scripts/chaos broker               a broker that goes, freezes, forgets, refuses, shows the wrong certificate
  scripts/chaos disk                 full, corrupt, read-only (needs root for its file systems)
  scripts/chaos clock                a wall clock that steps, and one that starts in 1970
  scripts/chaos drivers              chips unplugged, hung, wrong
  scripts/chaos alarms               everything down at once: the light, the sound and the button (needs root)
  scripts/chaos install              an upgrade cut at any moment, and on a full card (needs root)
  scripts/chaos evening              a first evening in a clean Debian 12, faults, upgrades, removal (needs root)
  scripts/chaos all                  one after another

Exit code: 0 every goal met; 1 a goal missed; 2 usage; 3 a campaign could not do its thing; 77 something had to be
skipped and nothing else failed.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Sequence

from chaos_parts.children import CampaignError
from chaos_parts.figures import EXIT_IMPOSSIBLE, Figure, exit_code, show

CAMPAIGNS = ("kill", "broker", "disk", "clock", "drivers", "alarms", "install", "evening")


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    began_s = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began_s:7.1f} s  {words}", file=sys.stderr, flush=True)

    figures: list[Figure] = []
    names = CAMPAIGNS if args.campaign == "all" else (args.campaign,)
    try:
        for name in names:
            module = importlib.import_module(f"chaos_parts.{name}")
            found = module.campaign(args, say)
            figures += found
            show(f"chaos {name}", found, is_json=args.json)
    except CampaignError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return EXIT_IMPOSSIBLE
    return exit_code(figures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("campaign", choices=(*CAMPAIGNS, "all"))
    parser.add_argument(
        "--times", type=_whole, default=200, metavar="N", help="kill, install: so many kills (default: 200)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another one, other moments (default: 1)")
    parser.add_argument("--quick", action="store_true", help="shorter outages and fewer cases, for the tests")
    parser.add_argument(
        "--only", metavar="ACT", help="of broker, disk, clock, drivers, install: one act, such as `stopped`"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line: name, value, unit, goal")
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
