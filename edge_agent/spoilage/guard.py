"""Whether the net's answer may be used: else the physics stands, with a wider band, and the reason is told.

The guard is about quality only. The clocks of the food rules run on measured temperatures and know nothing of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MOST_DEVIATION = math.log(1.6)  # of ln(net / physics), either way: beyond it one of the two is wrong
MOST_LENGTHENING = math.log(1.3)
MOST_BLIND = 0.10  # share of the last 72 h without a measured temperature
WIDER = 1.5

NO_MODEL = "no_model"
NOT_BETTER = "net_not_better"  # its card says that it was no better than the physics on real sources and rounds
FAR_FROM_PHYSICS = "far_from_physics"
OUTSIDE_TRAINING = "outside_training"  # followed by : and the input's name
SENSOR_GAPS = "sensor_gaps"
CAPPED = "lengthening_capped"
USE_BY = "use_by"
ETHYLENE = "ethylene_neighbour"
SPOILED = "life_used_up"
CHILLED = "chilling_injury"
FROZEN = "was_frozen"
DRYING = "water_loss"
NO_CONDITION = "no_temperature_history"
NO_DATE = "no_date"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of each lot: whether the net is used, and why not or only in part."""

    is_net: npt.NDArray[np.bool_]
    shift: Array  # of ln remaining life, the lengthening capped
    reasons: tuple[tuple[str, ...], ...]


def judged(ln_ratio: Array, outside: npt.NDArray[np.bool_], blind_share: Array, names: Sequence[str]) -> Verdict:
    """``ln_ratio``: net's median over the physics'. Shortens freely up to the greatest deviation, lengthens to 1.3."""
    is_far = np.abs(ln_ratio) > MOST_DEVIATION
    is_outside = outside.any(axis=1)
    is_blind = blind_share > MOST_BLIND
    is_net = ~(is_far | is_outside | is_blind)
    is_capped = is_net & (ln_ratio > MOST_LENGTHENING)
    reasons = tuple(
        (
            *((FAR_FROM_PHYSICS,) if is_far[place] else ()),
            *(f"{OUTSIDE_TRAINING}:{names[int(column)]}" for column in np.nonzero(outside[place])[0]),
            *((SENSOR_GAPS,) if is_blind[place] else ()),
            *((CAPPED,) if is_capped[place] else ()),
        )
        for place in range(len(ln_ratio))
    )
    return Verdict(is_net, np.where(is_net, np.minimum(ln_ratio, MOST_LENGTHENING), 0.0), reasons)
