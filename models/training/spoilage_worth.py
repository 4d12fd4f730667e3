"""Whether the net is better than the physics on what is real: observed lives and cartons, none of them trained on.

Both are told as the board would tell them, with the card deciding for the net or for the physics, each with the band
calibrated for it. Better means: less pinball loss over the points, each with its source left out, and a smaller Brier
score over the cartons. Else, and where nothing real is at hand, the net does not decide.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tflite import answers

from edge_agent.exchange.milk_cartons import read_cartons
from edge_agent.exchange.shelf_life_points import read_points
from edge_agent.inference.card import ModelCard
from edge_agent.spoilage.estimate import DECIDES
from edge_agent.spoilage.judge import judged
from edge_agent.spoilage.milk_judge import DAYS, forecast, scored
from edge_agent.spoilage.products import shipped

POINTS = Path("spoilage") / "validation_points.csv"
CARTONS = Path("spoilage") / "cornell_milk_vsl" / "milk_vsl_intervals_6C.csv"
ENDS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judges ask of a model, answered by the int8 graph; not asked where the card decides for the physics."""

    card: ModelCard
    file: bytes

    @property
    def version(self) -> str:
        return self.card.version

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return answers(self.file, rows, 64)

    def outside(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        low, high = (np.array([getattr(spec, end) for spec in self.card.inputs]) for end in ("low", "high"))
        return ~((rows >= low) & (rows <= high))


def worth(
    file: bytes, card: ModelCard, bands: Mapping[str, Mapping[str, float]], folder: Path | None
) -> dict[str, float]:
    """Metrics for the card. ``bands``: the factors of net and physics, by group."""
    files = None if folder is None else (folder / POINTS, folder / CARTONS)
    if files is None or not all(path.exists() for path in files):
        return {DECIDES: 0.0}
    found = {}
    for name, decides in (("net", 1.0), ("physics", 0.0)):
        model = Judged(replace(card, metrics={**card.metrics, **bands[name], DECIDES: decides}), file)
        found[f"points_pinball_{name}"] = round(points_pinball(files[0], model), 4)
        found[f"cartons_brier_{name}"] = round(cartons_brier(files[1], model), 4)
    is_better = all(found[f"{what}_net"] < found[f"{what}_physics"] for what in ("points_pinball", "cartons_brier"))
    return {**found, DECIDES: float(is_better)}


def points_pinball(path: Path, model: Any) -> float:
    """Of ln(life) at ENDS, over the points that are no bounds."""
    losses = []
    for one in judged(read_points(path.read_text(encoding="utf-8")).points, shipped(), model).scored:
        if one.point.is_bound or one.point.middle_d is None:
            continue
        said, seen = one.said["model"], math.log(one.point.middle_d)
        told = zip(ENDS, (said.low_d, said.middle_d, said.high_d), strict=True)
        errors = [(level, seen - math.log(days)) for level, days in told]
        losses.append(sum(max(level * error, (level - 1) * error) for level, error in errors) / len(ENDS))
    return sum(losses) / len(losses)


def cartons_brier(path: Path, model: Any) -> float:
    """Mean over the days; cartons of milk at 6 °C, known by their age only."""
    found = forecast(read_cartons(path.read_text(encoding="utf-8")).cartons, model)
    scores = [scored(found, day, "model").brier for day in DAYS]
    return sum(score for score in scores if score is not None) / len(DAYS)
