"""The power goes, again and again, while the agent measures, commits and publishes; nothing it told may be lost."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure

from arm64_parts.bench import Bench

TOLD, FOUND = "TOLD ", "FOUND "
UNDER_LOAD = "UNDER LOAD"  # the guest says so once a boot, when the agent is ready
LOAD_S = (1.0, 20.0)  # so long after it the power goes


def cut(bench: Bench, folder: Path, times: int, seed: int, say: Callable[[str], None]) -> list[Figure]:
    """``times`` + 1 boots of one disk: each looks first at what the boots before it had told."""
    random, disk = Random(seed), folder / "disk.qcow2"
    told: dict[str, str] = {}  # "epoch stream seq" -> digest of its content
    counts: Counter[str] = Counter()
    with bench.job() as job:
        status = bench.run(job, "bash bench/hw_up.sh && python3 -u guest.py install", say, disk=disk)
        if status:
            raise CampaignError(f"the package could not be installed: exit {status}")
        for turn in range(times + 1):
            (job / "told.json").write_text(json.dumps(told))
            is_last = turn == times
            looked: list[dict[str, int]] = []

            def heard(line: str, looked: list[dict[str, int]] = looked) -> None:
                if line.startswith(TOLD):
                    name, _, digest = line.removeprefix(TOLD).rpartition(" ")
                    counts["told with another content"] += told.get(name, digest) != digest
                    counts["told twice"] += name in told
                    told[name] = digest
                elif line.startswith(FOUND):
                    looked.append(json.loads(line.removeprefix(FOUND)))
                else:
                    say(f"    {line}")

            cut_after = None if is_last else (UNDER_LOAD, random.uniform(*LOAD_S))
            command = f"bash bench/hw_up.sh && python3 -u guest.py {'drain' if is_last else 'load'}"
            status = bench.run(job, command, heard, disk=disk, cut_after=cut_after)
            if not looked:
                raise CampaignError(f"boot {turn + 1} told nothing of what it found: exit {status}")
            for finding in looked:
                counts.update({name: value for name, value in finding.items() if name != "rows"})
            counts["rows"] = looked[-1]["rows"]
            say(f"  boot {turn + 1}: {len(told)} messages told so far, found {looked[-1]}")
    return [
        Figure("power cuts under load", times, "", ">= 1"),
        Figure("messages that consumers had, in all", len(told), "", ">= 100"),
        Figure("rows on the card at the end", counts["rows"], "rows"),
        Figure("told before a cut and not on the card after it", counts["lost"], "rows", "0"),
        Figure("numbers missing on the card", counts["gaps"], "rows", "0"),
        Figure("told with another content later", counts["told with another content"], "rows", "0"),
        Figure("damaged files", counts["damaged"], "", "0"),
        Figure("epochs that ended", counts["epochs"], "", "0"),
        Figure("told once more after a cut (same number)", counts["told twice"], "rows"),
        Figure("never told, with the last boot drained", counts["untold"], "rows", "0"),
    ]
