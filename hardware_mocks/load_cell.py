"""A load cell and its bridge: grams on the platform to counts of a 24-bit ADC, with what real cells add to it."""

import math
from collections.abc import Callable
from random import Random

_LOW, _HIGH = -(2**23), 2**23 - 1


class LoadCell:
    """Set ``load_g`` and ``temperature_c`` from outside, or give ``load_at(monotonic seconds)``.

    Ideal unless told otherwise, so that a recorded weight comes back exactly:

    >>> cell = LoadCell(counts_per_gram=20.0, zero_counts=500)
    >>> cell.load_g = 1250.0
    >>> cell.counts(0.0)
    25500

    Creep follows the load exponentially to ``creep_ppm`` of it, and goes back the same way when the load is
    taken off (OIML R60: class C3 allows 245 ppm of the maximum in 30 min, and 167 ppm of return of zero).
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
        self.load_g = 0.0
        self.temperature_c = reference_c
        self.load_at: Callable[[float], float] | None = None
        self.frozen = False
        self._random = Random(seed)
        self._creep_g = 0.0
        self._crept_s: float | None = None
        self._creeping_g = 0.0  # the load since then
        self._last = zero_counts

    def counts(self, mono_s: float) -> int:
        """One conversion; at the ends of the ADC's range it is saturated. Times must not go back."""
        if self.frozen:
            return self._last
        load_g = self.load_g if self.load_at is None else self.load_at(mono_s)
        gross_g = load_g
        warmer_k = self.temperature_c - self.reference_c
        if warmer_k:
            gross_g += load_g * self.span_ppm_per_k * 1e-6 * warmer_k + self.zero_g_per_k * warmer_k
        if self.creep_ppm:
            gross_g += self._creep(load_g, mono_s)
        if self.drift_g_per_h:
            gross_g += self.drift_g_per_h * mono_s / 3600
        if self.noise_g:
            gross_g += self._random.gauss(0, self.noise_g)
        if self.spike_probability and self._random.random() < self.spike_probability:
            gross_g += math.copysign(self.spike_g, self._random.random() - 0.5)
        counts = self.zero_counts + round(gross_g * self.counts_per_gram)
        self._last = min(_HIGH, max(_LOW, counts))
        return self._last

    def _creep(self, load_g: float, mono_s: float) -> float:
        """Between two conversions the load is taken as it was at the first."""
        if self._crept_s is not None:
            target_g = self._creeping_g * self.creep_ppm * 1e-6
            elapsed_s = mono_s - self._crept_s
            self._creep_g += (target_g - self._creep_g) * -math.expm1(-elapsed_s / self.creep_time_constant_s)
        self._crept_s, self._creeping_g = mono_s, load_g
        return self._creep_g
