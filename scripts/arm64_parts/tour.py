"""One boot: install, start, sensors, faults, panel, ends. The guest judges nothing: it tells what it measured."""

import json
from collections.abc import Callable
from pathlib import Path

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure

from arm64_parts.bench import Bench

FIGURE = "FIGURE "


def tour(bench: Bench, folder: Path, say: Callable[[str], None], act: str = "tour") -> list[Figure]:
    found: list[Figure] = []

    def heard(line: str) -> None:
        if line.startswith(FIGURE):
            found.append(Figure(**json.loads(line.removeprefix(FIGURE))))
        say(f"  {line}")

    say("a tour of one boot")
    with bench.job() as job:
        status = bench.run(job, f"bash bench/hw_up.sh && python3 -u guest.py {act}", heard)
    if status and not found:
        raise CampaignError(f"the guest ended with {status} before it told anything")
    return [*found, Figure("the tour went to its end", "yes" if status == 0 else f"exit {status}", "", "yes")]
