"""A shelf on load cells, as the configuration describes it."""

from dataclasses import dataclass

from edge_agent.domain.settings import SettingFault, identifier, require, within


@dataclass(frozen=True, slots=True)
class CellSettings:
    """One load cell of a shelf and its calibration."""

    sensor: str  # the name of a [[sensor]] that gives counts
    zero_counts: int  # ADC counts of the empty platform
    counts_per_gram: float  # negative when the cell hangs the other way round

    def __post_init__(self) -> None:
        require(
            within("zero_counts", self.zero_counts, -(2**23), 2**23 - 1, "counts"),
            None if self.counts_per_gram else SettingFault("counts_per_gram", self.counts_per_gram, "other than 0"),
        )


@dataclass(frozen=True, slots=True)
class ShelfSettings:
    name: str
    cells: tuple[CellSettings, ...]
    capacity_g: float  # full scale of the platform
    product: str | None = None  # GTIN of what lies there
    stable_g: float = 5.0  # readings within this band over stable_s are a stable weight
    stable_s: float = 2.0

    def __post_init__(self) -> None:
        require(
            identifier("name", self.name),
            None if self.cells else SettingFault("cells", (), "at least one load cell"),
            within("capacity_g", self.capacity_g, 1, 5e6, "g"),
            within("stable_g", self.stable_g, 0.01, 1e5, "g"),
            within("stable_s", self.stable_s, 0, 3600, "s"),
        )
