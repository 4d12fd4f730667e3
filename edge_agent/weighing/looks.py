"""Weights to looks: faults set aside, spikes taken out, and no more than about ten a second."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge_agent.weighing import spikes, validity
from edge_agent.weighing.nouns import Weight
from edge_agent.weighing.settings import ShelfSettings
from edge_agent.weighing.trace import Look, Signal

THIN_MS = 75  # looks are no closer: 80 and 20 a second become about 12 and 10
LEARNING = 0.05  # of intervals, from one to the next
SHORTENING = 0.5  # the same where one is clearly less than was taken for it: the first may have been a set-up
Cleaned = tuple[int, float | None]  # a look; None: here the sight was lost
FaultOf = Callable[[Weight, float | None, ShelfSettings], str | None]
Despiked = Callable[[Sequence[float], float | None], float]


def cleaned(
    signal: Signal,
    weights: Sequence[Weight],
    shelf: ShelfSettings,
    zero_g: float,
    noise_g: float | None,
    fault_of: FaultOf,
    despiked: Despiked,
) -> tuple[Signal, list[Cleaned]]:
    """A fault or a gap that lasts is one look of None; ``noise_g`` is that of a single weight."""
    if not weights:
        return signal, []
    bench = _Bench(
        list(signal.recent), signal.last_ms, signal.interval_s, signal.thinned_ms, signal.sum_g, signal.sum_n,
        signal.looks_n, signal.fault, signal.fault_ms, signal.broken,
    )  # fmt: skip
    for weight in weights:
        gross_g = weight.gross_g
        if gross_g is not None:
            gross_g -= zero_g
        fault = fault_of(weight, gross_g, shelf)
        if fault is not None or gross_g is None:
            bench.miss(weight.mono_ms, fault or "no-reading")
        elif bench.last_ms is None or weight.mono_ms > bench.last_ms:
            bench.take(weight.mono_ms, gross_g, noise_g, despiked)
    return bench.signal(), bench.looks


@dataclass(slots=True)
class _Bench:
    """A signal, open for change while one batch goes through."""

    recent: list[Look]
    last_ms: int | None
    interval_s: float | None
    thinned_ms: int | None
    sum_g: float
    sum_n: int
    looks_n: float
    fault: str | None
    fault_ms: int | None
    broken: bool
    looks: list[Cleaned] = field(default_factory=list)

    def miss(self, ms: int, fault: str) -> None:
        self.fault = fault
        if self.fault_ms is None:
            self.fault_ms = ms
        since_ms = self.fault_ms if self.last_ms is None else self.last_ms
        if not self.broken and validity.is_gap((ms - since_ms) / 1000, self.interval_s):
            self.broken = True
            self.looks.append((ms, None))

    def take(self, ms: int, gross_g: float, noise_g: float | None, despiked: Despiked) -> None:
        if self.last_ms is not None:
            self._pass((ms - self.last_ms) / 1000, ms)
        self.fault, self.fault_ms, self.broken = None, None, False
        self.last_ms = ms
        if self.interval_s is not None and self.interval_s > spikes.SPARSE_S:
            self.recent.clear()
            self.looks.append((ms, gross_g))
            return
        recent = self.recent
        recent.append((ms, gross_g))
        if len(recent) < spikes.WIDTH:
            return
        middle_ms = recent[spikes.WIDTH // 2][0]
        self.sum_g += despiked([gross_g for _, gross_g in recent], noise_g)
        self.sum_n += 1
        del recent[0]
        if self.thinned_ms is None or middle_ms - self.thinned_ms >= THIN_MS:
            self.looks.append((middle_ms, self.sum_g / self.sum_n))
            self.looks_n += LEARNING * (self.sum_n - self.looks_n)
            self.sum_g, self.sum_n, self.thinned_ms = 0.0, 0, middle_ms

    def _pass(self, passed_s: float, ms: int) -> None:
        """Since the weight before."""
        if self.broken or validity.is_gap(passed_s, self.interval_s):
            if not self.broken:
                self.looks.append((ms, None))
            self.recent.clear()
            self.sum_g, self.sum_n, self.thinned_ms = 0.0, 0, None
        elif self.fault is None:
            known_s = passed_s if self.interval_s is None else self.interval_s
            share = SHORTENING if passed_s < 0.8 * known_s else LEARNING
            self.interval_s = known_s + share * (passed_s - known_s)

    def signal(self) -> Signal:
        return Signal(
            tuple(self.recent), self.last_ms, self.interval_s, self.thinned_ms, self.sum_g, self.sum_n,
            self.looks_n, self.fault, self.fault_ms, self.broken,
        )  # fmt: skip
