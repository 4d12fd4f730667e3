"""What goes through the weighing room: a weight, what is known around it, the present of a shelf."""

from dataclasses import dataclass

from edge_agent.domain.stock import Balance


@dataclass(frozen=True, slots=True)
class Weight:
    """One look at the platform: all cells summed, calibrated, before any filter."""

    mono_ms: int
    gross_g: float | None  # None: it cannot be trusted, ``fault`` says why
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else is known of the shelf at that time; None: not known."""

    door_open: bool | None = None
    temperature_c: float | None = None  # of the cells, or of the air around them


@dataclass(frozen=True, slots=True)
class Present:
    """A shelf as it is now, after the filters."""

    gross_g: float | None  # smoothed; follows a step at once
    balance: Balance  # what the ledger says lies there
    is_stable: bool  # at rest, by the noise this scale has
    noise_g: float | None  # standard deviation of one reading at rest, learnt
    drift_tracked_g: float  # followed since the last zero, and kept out of the balance
    fault: str | None = None
