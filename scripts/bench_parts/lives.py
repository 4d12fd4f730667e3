"""lives: what 200 lots cost each hour: the reckoning, its rows, its memory; in a process of its own."""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from chaos_parts.children import CampaignError
from chaos_parts.figures import Figure

LOTS = 200
HOURS = 24
KINDS = ("strawberry", "broccoli", "tomato_firm_ripe", "apple")  # names of the table of shelf lives
H_MS = 3_600_000


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    say(f"lives: {LOTS} lots, {HOURS} hours, as shipped and with the net deciding")
    return [*_figures("as shipped", "0"), *_figures("the net decides", "1")]


def _figures(name: str, decides: str) -> list[Figure]:
    """``decides``: "1" as if the net had been found better than the physics, which costs its run."""
    done = subprocess.run([sys.executable, "-m", "bench_parts.lives", decides], capture_output=True, text=True)
    if done.returncode:
        raise CampaignError(f"lives, {name}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return [
        Figure(f"{name}: {LOTS} lots, one hour: median", round(found["median_s"], 3), "s"),
        Figure(f"{name}: {LOTS} lots, one hour: slowest but the first", round(found["worst_s"], 3), "s", "<= 0.5"),
        Figure(f"{name}: first reckoning with imports and models", round(found["first_s"], 2), "s"),
        Figure(f"{name}: taking the answer into the memory and making its rows", round(found["taken_ms"], 1), "ms"),
        Figure(f"{name}: rows of one hour", round(found["rows_kb"]), "kB"),
        Figure(f"{name}: memory, numpy, runtime and model included", round(found["taken_mib"], 1), "MiB"),
    ]


def _work(decides: bool) -> dict[str, float]:
    from edge_agent.decide import Memory, lives
    from edge_agent.decide.memory import changed_rows
    from edge_agent.decide.models import ModelSettings
    from edge_agent.domain.instant import Instant
    from edge_agent.domain.lot import Lot, Measure, Stay
    from edge_agent.domain.product import Product
    from edge_agent.lots.air import Air, AirStep
    from edge_agent.lots.register import Register
    from edge_agent.service.model_uses import LIVES as MODEL
    from edge_agent.service.models import models_of

    def at(hours: float) -> Instant:
        return Instant(round(hours * H_MS), 1_795_417_200_000 + round(hours * H_MS), "bench")

    def air(hour: int, place: int) -> Air:
        steps = tuple(
            AirStep(at(hour + (n + 1) / 12), 300.0, 3.0 + place + (n % 4) * 0.3 + hour % 5, 88.0) for n in range(12)
        )  # fmt: skip
        return Air(steps, steps, at(hour + 1), at(hour + 1), steps[-1].mean_c or 0.0)

    before_mib, began_s = _rss_mib(), time.perf_counter()
    from edge_agent.service import life_work
    from edge_agent.spoilage.estimate import DECIDES
    from edge_agent.spoilage.products import shipped

    strange = [kind for kind in KINDS if kind not in shipped().products()]
    if strange:
        raise SystemExit(f"KINDS: {', '.join(strange)}: not in the table of shelf lives, so without kinetics")
    products = {f"{4100 + n}": Product(f"{4100 + n}", kind, keeps_like=kind) for n, kind in enumerate(KINDS)}
    gtins = list(products)
    lots = {}
    for n in range(LOTS):
        stays = (Stay(f"room-{n % 5}", at(0)),)
        given = {"unit_g": 500.0, "supplier": f"farm-{n % 7}", "stays": stays, "use_by": "2026-12-24"}
        lots[f"lot-{n}"] = Lot(f"lot-{n}", gtins[n % 4], at(0), Measure.UNITS, 20, 20, temperature_c=4.0, **given)
    memory = Memory(register=Register(lots))
    model = models_of(ModelSettings(), Path("/nonexistent")).use(MODEL).model
    if model is None:
        raise SystemExit(f"{MODEL}: does not take part")
    if decides:
        model.card = replace(model.card, metrics={**model.card.metrics, DECIDES: 1.0})
    opened_s = time.perf_counter() - began_s
    wanted = {"model" if model.card.metrics.get(DECIDES) else "physics": LOTS}
    took_s, taken_s, rows = [], 0.0, 0
    for hour in range(HOURS):
        began_s = time.perf_counter()
        question = life_work.Question(
            at(hour + 1),
            tuple(memory.register.lots.values()),
            memory.keepings,
            {f"room-{n}": air(hour, n) for n in range(5)},
            products,
            UTC,
            memory.learnt_lives,
        )
        answer = life_work.answer(question, model)
        took_s.append(time.perf_counter() - began_s)
        began_s, kept = time.perf_counter(), memory
        bases = Counter(keeping.life.basis for keeping in answer.keepings.values() if keeping.life is not None)
        if bases != wanted:
            raise SystemExit(f"hour {hour}: lots reckoned from {dict(bases)}: must be {wanted}, from their kinetics")
        memory, _ = lives.taken(memory, answer, at(hour + 1))
        rows = sum(len(row) for row in changed_rows(kept, memory).values() if row is not None)
        taken_s = max(taken_s, time.perf_counter() - began_s)
    later = sorted(took_s[1:])
    return {
        "first_s": opened_s + took_s[0],
        "median_s": later[len(later) // 2],
        "worst_s": later[-1],
        "taken_ms": 1000 * taken_s,
        "rows_kb": rows / 1000,
        "taken_mib": _rss_mib() - before_mib,
    }


def _rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_work(decides=sys.argv[1:] == ["1"])))
