"""The agent on a simulated shelf of `scripts/bench weighing`: `follow`, called once a second as in the live cycle."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from bench_parts.weighing_judge import Published, Run
from bench_parts.weighing_world import ShelfDay
from edge_agent.decide.memory import Memory, changed_rows, from_rows, kept_with, pressing_rows, to_rows
from edge_agent.domain.instant import Instant
from edge_agent.domain.product import Product
from edge_agent.domain.stock import StockEvent
from edge_agent.weighing import drift, estimate, pieces, plateau, smoothing, spikes, stability
from edge_agent.weighing.follow import STAGES as ALL
from edge_agent.weighing.follow import Stages, Trace, follow
from edge_agent.weighing.nouns import Surroundings, Weight
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import CellSettings, ShelfSettings

MIDNIGHT_MS = 1_795_392_000_000  # 2026-11-23T00:00:00Z
UP_MS = 60_000  # since the board started, when the first cycle comes
STAGES: Mapping[str, Stages] = {
    "spikes": replace(ALL, despiked=spikes.null_hampel),
    "smoothing": replace(ALL, smoothed=smoothing.null_adaptive),
    "stability": replace(ALL, rests=stability.null_rests),
    "plateau": replace(ALL, plateau_of=plateau.null_plateau),
    "drift": replace(ALL, drifted=drift.null_followed),
    "creep": replace(ALL, crept=drift.null_crept),
    "the drift foreseen": replace(ALL, ahead=estimate.null_ahead),
}
KEPT_S = 70  # the health row's minute, and the batch it waits for
COUNTED_AFTER_S = 60  # somebody counts what lies there, once the shelf is at rest


def agent(
    day: ShelfDay,
    outages: Sequence[tuple[float, float]] = (),
    stages: Stages = ALL,
    configured: tuple[ShelfSettings, Product] | None = None,
) -> Run:
    """An outage leaves nothing but the rows on the disk, as a power cut does."""
    shelf, product = configured or settings_of(day)
    state, card = ScaleState(tare_g=day.physics.container_g), _Card(shelf.name)
    run, began_s = Run(), time.process_time()
    count_from_s: float | None = float(day.mono_ms[0]) / 1000 + COUNTED_AFTER_S
    for boot, cycles in enumerate(_boots(day, outages)):
        trace, state = Trace(), card.state(state)
        for second, mono_ms, weights in cycles:
            at = Instant(mono_ms, MIDNIGHT_MS + second * 1000, f"boot-{boot}")
            followed = follow(shelf, state, trace, weights, at, _around(day, second), product, stages=stages)
            card.take(followed.state, bool(followed.events), second)
            state, trace, present = followed.state, followed.trace, followed.present
            run.published += (_published(second, event) for event in followed.events)
            run.balances[second] = (present.balance.net_g, present.balance.u_g)
            run.stable += present.is_stable
            run.tracked_g = max(run.tracked_g, abs(present.drift_tracked_g))
            if count_from_s is not None and second >= count_from_s and present.is_stable:
                state, count_from_s = _counted(state, day.start_units, present.balance.net_g, present.balance.u_g), None
    run.writes, run.written_bytes = card.writes, card.written_bytes
    run.cpu_s = time.process_time() - began_s
    return run


class _Card:
    """The rows of a shelf as the agent's service writes them: what presses at once, the rest with the health row."""

    def __init__(self, shelf: str) -> None:
        self._shelf, self._kept, self._due_s = shelf, Memory(), 0
        self.writes = self.written_bytes = 0

    def take(self, state: ScaleState, is_told: bool, second: int) -> None:
        is_due = second >= self._due_s
        if is_due:
            self._due_s = second + KEPT_S
        if state is self._kept.scales.get(self._shelf):
            return
        memory = Memory(scales={self._shelf: state})
        told = (self._shelf,) if is_told else ()
        rows = changed_rows(self._kept, memory) if is_due else pressing_rows(self._kept, memory, told)
        if rows:
            self._kept = kept_with(self._kept, memory, rows)
            self.writes += 1
            self.written_bytes += sum(len(value) for value in rows.values())

    def state(self, first: ScaleState) -> ScaleState:
        """As it comes back from them; ``first`` where none was written yet."""
        rows = to_rows(self._kept)
        return from_rows(rows).scales[self._shelf] if rows else first


def settings_of(day: ShelfDay) -> tuple[ShelfSettings, Product]:
    physics = day.physics
    cells = (CellSettings(f"{day.name}-cell", zero_counts=0, counts_per_gram=100.0),)
    product = Product("4006381333931", physics.goods.name, piece_g=physics.goods.piece_g)
    return ShelfSettings(day.name, cells, capacity_g=physics.capacity_g, product=product.gtin), product


def _boots(
    day: ShelfDay, outages: Sequence[tuple[float, float]]
) -> Iterator[Iterator[tuple[int, int, Sequence[Weight]]]]:
    """Of each life of the agent its cycles: (second of the day, mono_ms, weights)."""
    first_s, last_s = int(day.mono_ms[0] // 1000), int(day.mono_ms[-1] // 1000) + 1
    edges = [first_s, *(round(edge) for outage in outages for edge in outage), last_s]
    for begin_s, end_s in zip(edges[::2], edges[1::2], strict=True):
        yield _cycles(day, begin_s, end_s)


def _cycles(day: ShelfDay, begin_s: int, end_s: int) -> Iterator[tuple[int, int, Sequence[Weight]]]:
    since_ms = UP_MS - begin_s * 1000
    edges = np.searchsorted(day.mono_ms, np.arange(begin_s, end_s + 1) * 1000).tolist()
    for number, (first, last) in enumerate(pairwise(edges), start=1):
        mono_ms = (day.mono_ms[first:last] + since_ms).tolist()
        weights = tuple(map(Weight, mono_ms, day.gross_g[first:last].tolist()))
        yield begin_s + number, UP_MS + number * 1000, weights


def _around(day: ShelfDay, second: int) -> Surroundings:
    place = min(second - int(day.mono_ms[0] // 1000), len(day.door_open) - 1)
    physics = day.physics
    return Surroundings(
        door_open=bool(day.door_open[place]) if physics.knows_door else None,
        temperature_c=float(day.temperature_c[place]) if physics.knows_temperature else None,
    )


def _counted(state: ScaleState, units: int, net_g: float | None, u_g: float | None) -> ScaleState:
    if net_g is None:
        return state
    return replace(state, pieces=pieces.counted(state.pieces, units, net_g, u_g or 0.0))


def _published(second: int, event: StockEvent) -> Published:
    return Published(
        published_s=float(second),
        kind=str(event.kind),
        delta_g=event.delta_g if event.delta_g is not None else float("nan"),
        units=event.delta_units,
        confidence=event.confidence,
        after_units=event.after.units,
        after_confidence=event.after.confidence or 0.0,
    )
