"""A shelf on load cells, as the configuration describes it."""

from dataclasses import dataclass
from itertools import pairwise

from edge_agent.domain.settings import SettingFault, identifier, require, within

LONGEST_NAME = 26  # its alarm is "scale-<name>", one level of a topic
DRIFT_SHARE_PER_H = 0.002  # of full scale: 100 ppm/K and 20 K an hour; 60 g/h on 30 kg
DRIFT_LEAST_G_PER_H = 40.0  # small scales drift as well: twice the 20 g/h of lesson 21's worst cells
DRIFT_SHARE = 0.02  # of full scale, since the last zero: OIML R76-1 (2006), 4.5.1
STEP_SHARE = 100e-6  # of full scale: what a hand leaves behind in bearings and cables

POINTS = "at least three [counts, grams], grams rising, and counts rising or falling all along"


@dataclass(frozen=True, slots=True)
class CellSettings:
    """One load cell of a shelf and its calibration."""

    sensor: str  # the name of a [[sensor]] that gives counts
    zero_counts: int  # ADC counts of the empty platform
    counts_per_gram: float  # negative when the cell hangs the other way round
    points: tuple[tuple[float, float], ...] = ()  # (counts, grams) of a bent cell: instead of the two figures above

    def __post_init__(self) -> None:
        require(
            within("zero_counts", self.zero_counts, -(2**23), 2**23 - 1, "counts"),
            None if self.counts_per_gram else SettingFault("counts_per_gram", self.counts_per_gram, "other than 0"),
            None if _is_monotone(self.points) else SettingFault("points", self.points, POINTS),
        )


@dataclass(frozen=True, slots=True)
class ShelfSettings:
    name: str
    cells: tuple[CellSettings, ...]
    capacity_g: float  # full scale of the platform
    product: str | None = None  # GTIN of what lies there
    door: str | None = None  # the contact of the room's door: nothing of the scale's drift is followed while it is open
    temperature: str | None = None  # the sensor beside the cells
    stable_g: float = 5.0  # unrest that still passes for rest while the scale's own noise is not learnt
    stable_s: float = 2.4  # rest is proved when it lasted so long
    step_g: float | None = None  # smallest change worth an event; None: half a piece, or 100 ppm of full scale
    least_g: float | None = None  # less on the platform is a fault, never stock; None: it may be empty
    drift_g_per_h: float | None = None  # followed at most; None: 0.2 % of full scale, at least 40 g
    creep_ppm: float = 245.0  # of the load, within 30 min: OIML R60, class C3
    compensate_temperature: bool = False  # learn zero and span over temperature while nothing changes
    calibrate_every_days: float = 365.0  # then an alarm asks for it

    def __post_init__(self) -> None:
        require(
            identifier("name", self.name, LONGEST_NAME),
            None if self.cells else SettingFault("cells", (), "at least one load cell"),
            within("capacity_g", self.capacity_g, 1, 5e6, "g"),
            within("stable_g", self.stable_g, 0.01, 1e5, "g"),
            within("stable_s", self.stable_s, 0, 3600, "s"),
            within("step_g", self.step_g, 0.01, 1e5, "g"),
            within("least_g", self.least_g, 0, self.capacity_g, "g"),
            within("drift_g_per_h", self.drift_g_per_h, 0, 1e5, "g/h"),
            within("creep_ppm", self.creep_ppm, 0, 5000, "ppm"),
            within("calibrate_every_days", self.calibrate_every_days, 1, 3650, "days"),
        )

    @property
    def drift_limit_g_per_h(self) -> float:
        """
        >>> ShelfSettings("s", (CellSettings("c", 0, 1.0),), capacity_g=30_000).drift_limit_g_per_h
        60.0
        """
        if self.drift_g_per_h is not None:
            return self.drift_g_per_h
        return max(DRIFT_LEAST_G_PER_H, DRIFT_SHARE_PER_H * self.capacity_g)

    @property
    def drift_limit_g(self) -> float:
        """In total since the last zero: 600 g on 30 kg, so 20 g/h for a day."""
        return DRIFT_SHARE * self.capacity_g

    def least_step_g(self, piece_g: float | None) -> float:
        """What is worth an event, however quiet the scale is.

        >>> shelf = ShelfSettings("s", (CellSettings("c", 0, 1.0),), capacity_g=30_000)
        >>> shelf.least_step_g(None), shelf.least_step_g(4.0), shelf.least_step_g(500.0)
        (5.0, 2.0, 5.0)
        """
        if self.step_g is not None:
            return self.step_g
        general_g = max(self.stable_g, STEP_SHARE * self.capacity_g)
        return general_g if piece_g is None else min(general_g, piece_g / 2)


def _is_monotone(points: tuple[tuple[float, float], ...]) -> bool:
    if not points:
        return True
    steps = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(points)]
    return len(points) > 2 and all(grams > 0 and counts * steps[0][0] > 0 for counts, grams in steps)
