"""A load cell and its bridge: grams on the platform to counts of a 24-bit ADC, with what real cells add to it."""

import math
from collections.abc import Callable, Collection
from random import Random

_LOW, _HIGH = -(2**23), 2**23 - 1
FOREVER = float("inf")

# What a cell, its wires and its ADC can suffer:
STUCK = "stuck"  # the very same code for ever
SIGNAL_WIRE_OFF = "signal-wire-off"  # the amplifier's input floats to its end, and takes up every hum
SUPPLY_WIRE_OFF = "supply-wire-off"  # no excitation: the amplifier's offset and its noise are left
HALF_DEAD = "half-dead"  # two of four gauges lost: half the gain, and the bridge out of balance
DEAD = "dead"  # something else carries its share of every change: a stop screw, ice; noise and drift go on
WET = "wet"  # leakage between the wires: the zero wanders, the noise rises
FAILURES = (STUCK, SIGNAL_WIRE_OFF, SUPPLY_WIRE_OFF, HALF_DEAD, DEAD, WET)

HUM_COUNTS = 40_000.0  # RMS, of an open input; it stands at 98 % of the range
AMPLIFIER_OFFSET_COUNTS = 900  # 1.3 µV
AMPLIFIER_NOISE_COUNTS = 12.0  # RMS: some 17 nV at 10 samples/s (NAU7802 datasheet, noise at gain 128)


class LoadCell:
    """Set ``load_g`` and ``temperature_c`` from outside, or give ``load_at(monotonic seconds)``.

    Ideal unless told otherwise, so that a recorded weight comes back exactly:

    >>> cell = LoadCell(counts_per_gram=20.0, zero_counts=500)
    >>> cell.load_g = 1250.0
    >>> cell.counts(0.0)
    25500

    Creep follows the load exponentially to ``creep_ppm`` of it, and goes back the same way when the load is
    taken off (OIML R60: class C3 allows 245 ppm of the maximum in 30 min, and 167 ppm of return of zero).

    It fails when told to, now or later:

    >>> cell.fail("supply-wire-off", at_s=60.0, for_s=30.0)
    >>> [abs(cell.counts(at_s)) < 2_000 for at_s in (59.9, 60.0, 89.9, 90.0)]
    [False, True, True, False]
    """

    def __init__(
        self,
        *,
        counts_per_gram: float = 100.0,
        zero_counts: int = 0,
        noise_g: float = 0.0,
        drift_g_per_h: float = 0.0,
        creep_ppm: float = 0.0,
        creep_time_constant_s: float = 600.0,
        zero_g_per_k: float = 0.0,
        span_ppm_per_k: float = 0.0,
        reference_c: float = 20.0,
        spike_probability: float = 0.0,
        spike_g: float = 500.0,
        imbalance_counts: int = 900_000,
        wet_wander_g: float = 60.0,
        wet_time_constant_s: float = 900.0,
        wet_noise_times: float = 6.0,
        seed: int = 1,
    ) -> None:
        self.counts_per_gram = counts_per_gram
        self.zero_counts = zero_counts
        self.noise_g = noise_g  # RMS
        self.drift_g_per_h = drift_g_per_h  # linear, from the monotonic clock's start
        self.creep_ppm = creep_ppm
        self.creep_time_constant_s = creep_time_constant_s
        self.zero_g_per_k = zero_g_per_k
        self.span_ppm_per_k = span_ppm_per_k
        self.reference_c = reference_c
        self.spike_probability = spike_probability  # of a conversion
        self.spike_g = spike_g
        self.imbalance_counts = imbalance_counts  # that half a bridge leaves: 0.4 mV/V at gain 128
        self.wet_wander_g = wet_wander_g  # RMS, in the long run
        self.wet_time_constant_s = wet_time_constant_s
        self.wet_noise_times = wet_noise_times
        self.load_g = 0.0
        self.temperature_c = reference_c
        self.load_at: Callable[[float], float] | None = None
        self.frozen = False
        self._random = Random(seed)
        self._creep_g = 0.0
        self._crept_s: float | None = None
        self._creeping_g = 0.0  # the load since then
        self._last = zero_counts
        self._failures: list[tuple[float, float, str]] = []  # (from, until, which)
        self._held_g: float | None = None
        self._wandered_g = self._aim_g = 0.0
        self._wandered_s: float | None = None

    def fail(self, failure: str, at_s: float = 0.0, for_s: float = FOREVER) -> None:
        """One of FAILURES, from this monotonic time on. Raises ValueError for another word."""
        if failure not in FAILURES:
            raise ValueError(f"a load cell knows no failure {failure!r}; there are: {', '.join(FAILURES)}")
        self._failures.append((at_s, at_s + for_s, failure))

    def heal(self) -> None:
        """Of every failure, also of those to come."""
        self._failures.clear()

    def counts(self, mono_s: float) -> int:
        """One conversion; at the ends of the ADC's range it is saturated. Times must not go back."""
        suffers = {failure for from_s, until_s, failure in self._failures if from_s <= mono_s < until_s}
        if not self.frozen and STUCK not in suffers:
            counts = self._open_counts(suffers)
            if counts is None:
                counts = self._bridge_counts(mono_s, suffers)
            self._last = min(_HIGH, max(_LOW, counts))
        return self._last

    def _open_counts(self, suffers: Collection[str]) -> int | None:
        """What the amplifier sees without a bridge; None when there is one."""
        if SIGNAL_WIRE_OFF in suffers:
            return round(0.98 * _HIGH + self._random.gauss(0, HUM_COUNTS))
        if SUPPLY_WIRE_OFF in suffers:
            return AMPLIFIER_OFFSET_COUNTS + round(self._random.gauss(0, AMPLIFIER_NOISE_COUNTS))
        return None

    def _bridge_counts(self, mono_s: float, suffers: Collection[str]) -> int:
        load_g = self.load_g if self.load_at is None else self.load_at(mono_s)
        if DEAD in suffers:
            self._held_g = load_g if self._held_g is None else self._held_g
            load_g = self._held_g
        else:
            self._held_g = None
        gross_g = load_g
        warmer_k = self.temperature_c - self.reference_c
        if warmer_k:
            gross_g += load_g * self.span_ppm_per_k * 1e-6 * warmer_k + self.zero_g_per_k * warmer_k
        if self.creep_ppm:
            gross_g += self._creep(load_g, mono_s)
        if self.drift_g_per_h:
            gross_g += self.drift_g_per_h * mono_s / 3600
        if WET in suffers:
            gross_g += self._wander(mono_s)
        if self.noise_g:
            gross_g += self._random.gauss(0, self.noise_g * (self.wet_noise_times if WET in suffers else 1.0))
        if self.spike_probability and self._random.random() < self.spike_probability:
            gross_g += math.copysign(self.spike_g, self._random.random() - 0.5)
        if HALF_DEAD in suffers:
            return self.zero_counts + self.imbalance_counts + round(gross_g * self.counts_per_gram / 2)
        return self.zero_counts + round(gross_g * self.counts_per_gram)

    def _creep(self, load_g: float, mono_s: float) -> float:
        """Between two conversions the load is taken as it was at the first."""
        if self._crept_s is not None:
            target_g = self._creeping_g * self.creep_ppm * 1e-6
            elapsed_s = mono_s - self._crept_s
            self._creep_g += (target_g - self._creep_g) * -math.expm1(-elapsed_s / self.creep_time_constant_s)
        self._crept_s, self._creeping_g = mono_s, load_g
        return self._creep_g

    def _wander(self, mono_s: float) -> float:
        """Slow and smooth, to and fro: a low-pass of an Ornstein-Uhlenbeck process, never far for ever."""
        if self._wandered_s is not None:
            passed = (mono_s - self._wandered_s) / self.wet_time_constant_s
            keep = math.exp(-passed)
            fresh = math.sqrt(1 - keep * keep) * self.wet_wander_g
            self._aim_g = keep * self._aim_g + self._random.gauss(0, fresh)
            self._wandered_g += (self._aim_g - self._wandered_g) * -math.expm1(-3 * passed)
        self._wandered_s = mono_s
        return self._wandered_g
