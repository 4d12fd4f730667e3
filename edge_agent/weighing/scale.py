"""What a shelf's scale must remember through a power cut, and what commands do to it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from edge_agent.domain.instant import Instant
from edge_agent.weighing.calibration import grams
from edge_agent.weighing.pieces import Pieces
from edge_agent.weighing.settings import CellSettings, ShelfSettings
from edge_agent.weighing.thermal import Thermal
from edge_agent.weighing.trace import Look, Phase, Trace

ZERO_LIMIT = 0.02  # of full scale: OIML R76-1 (2006), 4.5.1, range of zero-setting 4 % = +-2 %
OVERLOAD = 1.05  # of full scale: beyond it the cell is no longer linear
UNDERLOAD = -0.02  # of full scale: below it the platform hangs, or a wire is off


@dataclass(frozen=True, slots=True)
class ScaleState:
    """Lasts. Changes at an event, a command, and about once a minute while the scale is watched."""

    tare_g: float = 0.0
    zero_g: float = 0.0  # drift of the empty scale since its calibration, set by the zero command only
    net_g: float | None = None  # the ledger's balance
    u_g: float = 0.0  # its standard uncertainty
    reference_g: float | None = None  # the settled gross weight that the ledger accounts for; None: never at rest yet
    reference_u_g: float = 0.0
    rate_g_per_s: float = 0.0  # of the scale by itself, creep apart
    spread: tuple[float, ...] = ()  # how balance, offset and rate are known together: `estimate.Spread`
    confirmed: Instant | None = None  # when it last was seen so
    pieces: Pieces = field(default_factory=Pieces)
    drift_tracked_g: float = 0.0  # since the last zero
    drift_hour_g: float = 0.0  # lately, as `drift.followed` forgets it
    beyond_g: float = 0.0  # lately, faster than that, until somebody touched the shelf: a leak, if it adds up
    creep_g: float = 0.0  # believed to be in the reference
    fault_since: Instant | None = None  # since then nothing trustworthy was seen
    away_g: float | None = None  # the container is gone, and took so much of the platform's load with it
    loss_g: float = 0.0  # dried, and not told yet
    loss_since: Instant | None = None
    thermal: Thermal = field(default_factory=Thermal)


def cell_g(counts: float, cell: CellSettings) -> float:
    """Grams on one load cell.

    >>> cell_g(10_500, CellSettings("s", zero_counts=500, counts_per_gram=20.0))
    500.0
    """
    return grams(counts, cell)


def net_g(gross_g: float, tare_g: float) -> float:
    return gross_g - tare_g


def is_stable(trace: Trace, shelf: ShelfSettings) -> bool:
    """At rest, by the noise this scale has: for at least ``stable_s``, or no command acts upon it."""
    return trace.phase is Phase.REST and not trace.signal.broken


def settled_g(trace: Trace) -> float:
    """The gross weight to act upon, g. Raises ValueError where nothing ever rested."""
    if trace.phase is not Phase.REST:
        raise ValueError("no weight to act upon")
    return trace.rest.level_g


def tare(state: ScaleState, container_g: float, gross_g: float | None = None) -> ScaleState:
    """``container_g`` of the ``gross_g`` on the platform is container from now on; all of it where none is given."""
    shown_g = container_g if gross_g is None else gross_g
    return replace(
        state,
        tare_g=container_g,
        net_g=net_g(shown_g, container_g),
        u_g=0.0,
        reference_g=shown_g,
        spread=_known_net(state),
        pieces=replace(state.pieces, guesses=()),
        away_g=None,
        loss_g=0.0,
        loss_since=None,
    )


def zero(state: ScaleState, gross_g: float, capacity_g: float) -> ScaleState:
    """What the empty platform shows is drift. Raises ValueError beyond 2 % of full scale, in total."""
    zero_g = state.zero_g + gross_g
    if abs(zero_g) > ZERO_LIMIT * capacity_g:
        raise ValueError(
            f"the platform shows {gross_g:.1f} g, {zero_g:.1f} g from its calibration; "
            f"zero corrects at most {ZERO_LIMIT * capacity_g:g} g (2 % of {capacity_g:g} g): "
            "is it empty? if so, calibrate it"
        )
    return replace(
        state,
        zero_g=zero_g,
        net_g=state.net_g if state.away_g is not None else -state.tare_g,
        u_g=state.u_g if state.away_g is not None else 0.0,
        reference_g=0.0,
        spread=_known_net(state),
        drift_tracked_g=0.0,
        drift_hour_g=0.0,
        beyond_g=0.0,
        creep_g=0.0,
        loss_g=0.0,
        loss_since=None,
    )


def _known_net(state: ScaleState) -> tuple[float, ...]:
    """After tare and zero the balance is known by definition; the offset as well as the scale was seen."""
    rr = state.spread[2] if state.spread else 0.0
    return (0.0, state.reference_u_g**2, rr, 0.0, 0.0, 0.0)


def rezeroed(trace: Trace, zero_g: float) -> Trace:
    """The trace of a scale whose zero is ``zero_g`` now: all in it is gross, so it moves by the difference."""
    by_g = trace.zero_g - zero_g
    if not by_g:
        return trace
    signal, rest, moving = trace.signal, trace.rest, trace.moving
    return replace(
        trace,
        zero_g=zero_g,
        signal=replace(signal, recent=_moved(signal.recent, by_g), sum_g=signal.sum_g + by_g * signal.sum_n),
        rest=replace(
            rest,
            level_g=rest.level_g + by_g,
            guard=_moved(rest.guard, by_g),
        ),
        moving=replace(
            moving,
            from_g=moving.from_g + by_g,
            looks=_moved(moving.looks, by_g),
            held=None if moving.held is None else replace(moving.held, gross_g=moving.held.gross_g + by_g),
        ),
    )


def _moved(looks: Iterable[Look], by_g: float) -> tuple[Look, ...]:
    return tuple((ms, gross_g + by_g) for ms, gross_g in looks)
