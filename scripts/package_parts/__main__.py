"""scripts/package: builds a Debian package of the agent with its Python dependencies inside.

  scripts/package                                       for this machine's architecture and bookworm, into dist/
  scripts/package --arch arm64 --release trixie         for another; nothing is emulated, wheels are only unpacked
  scripts/package --arch arm64 --wheels DIR             without the network: wheels from a folder

The same sources and SOURCE_DATE_EPOCH (default: the last commit's) give the same bytes. Wanted: dpkg-deb, and pip in
the Python that runs this. Exit code: 0 built, and its path told; 1 it could not be built.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from package_parts.build import build
from package_parts.errors import PackageError
from package_parts.targets import ARCHITECTURES, RELEASES, Target, this_architecture


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    target = Target(ARCHITECTURES[args.arch or this_architecture()], RELEASES[args.release])
    try:
        print(build(target, args.out, wheels=args.wheels, is_latest=args.latest, version=args.version))
    except PackageError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/package", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", choices=ARCHITECTURES, help="Debian's name of it (default: this machine's)")
    parser.add_argument("--release", choices=RELEASES, default="bookworm", help="of Debian (default: bookworm)")
    parser.add_argument("--out", type=Path, default=Path("dist"), metavar="DIR", help="where to put it (default: dist)")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="take the wheels from here, not from the network")
    parser.add_argument(
        "--latest", action="store_true", help="newest dependencies, not those of deploy/constraints.txt"
    )
    parser.add_argument("--version", metavar="X.Y.Z", help="another version than the sources', to try an upgrade")
    return parser


if __name__ == "__main__":
    sys.exit(main())
