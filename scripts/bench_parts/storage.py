"""The storage alone: bytes per reading, processor time per row. See ``storage_wear``."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos_parts.figures import Figure

from bench_parts import storage_wear


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    say("storage: an hour of commits, three kinds of readings")
    return [Figure(**figure) for figure in storage_wear.measure()]  # type: ignore[arg-type]
