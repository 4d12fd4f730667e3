"""The built package on a Debian arm64 under emulation: real systemd, GPIO lines, an I2C bus with chips, power cuts.

Needs an arm64 bench (--bench): a folder with `bench.sh` and `guest_run.py`, which boot an image and run a command
in it. Its image is built beside it at the first call. Takes from some minutes to half an hour; not part of the tests.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from chaos_parts.children import CampaignError
from chaos_parts.figures import EXIT_IMPOSSIBLE, exit_code, show

from arm64_parts.bench import Bench
from arm64_parts.cuts import cut
from arm64_parts.tour import tour

ACTS = ("tour", "cuts")
ALSO = "models"  # a part of the tour, alone


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/arm64", description=__doc__)
    parser.add_argument(
        "act", nargs="*", metavar="ACT", help=f"{', '.join(ACTS)} or {ALSO} (default: {' and '.join(ACTS)})"
    )
    parser.add_argument("--bench", type=Path, required=True, metavar="DIR", help="the arm64 bench, writable")
    parser.add_argument("--deb", type=Path, required=True, metavar="FILE", help="built by scripts/package --arch arm64")
    parser.add_argument("--suite", default="bookworm", choices=("bookworm", "trixie"), help="(default: %(default)s)")
    parser.add_argument("--cuts", type=int, default=10, metavar="N", help="power cuts (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the cuts (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one figure a line, as JSON")
    args = parser.parse_args()
    if unknown := set(args.act) - {*ACTS, ALSO}:
        parser.error(f"{', '.join(sorted(unknown))}: not an act; there are {', '.join((*ACTS, ALSO))}")
    try:
        bench = Bench(args.bench, args.suite, args.deb)
        figures = []
        with tempfile.TemporaryDirectory(prefix="arm64-") as name:
            if "tour" in (args.act or ACTS):
                figures += tour(bench, Path(name), _say)
            if ALSO in args.act:
                figures += tour(bench, Path(name), _say, ALSO)
            if "cuts" in (args.act or ACTS):
                figures += cut(bench, Path(name), args.cuts, args.seed, _say)
    except CampaignError as error:
        print(f"scripts/arm64: {error}", file=sys.stderr)
        return EXIT_IMPOSSIBLE
    show(f"The package {args.deb.name} on Debian {args.suite}, arm64, emulated", figures, is_json=args.json)
    return exit_code(figures)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


sys.exit(main())
