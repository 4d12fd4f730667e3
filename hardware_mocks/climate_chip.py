"""What the temperature and humidity chips have in common: the air around them, and how they can lie about it."""

import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from edge_agent.domain.instant import Clock
from hardware_mocks.i2c_bus import no_acknowledge


class Climate(NamedTuple):
    temperature_c: float
    humidity_pct: float
    pressure_hpa: float = 1013.25


class ClimateChip:
    """Senses its attributes, set from outside, or ``environment(monotonic seconds)`` when there is one.

    Every fault is an attribute too: ``unplugged``, ``bad_crc`` (the probability of one wrong check byte),
    ``spike_probability`` with ``spike_c``, ``frozen`` (repeats its last conversion), ``drifts_from_s`` with
    ``drift_c_per_h``, ``humidity_pinned`` (wet: it says 100 %), the two noises (RMS).
    """

    def __init__(self, clock: Clock, address: int, temperature_c: float, humidity_pct: float, seed: int) -> None:
        self.clock = clock
        self.address = address
        self.temperature_c = temperature_c
        self.humidity_pct = humidity_pct
        self.pressure_hpa = 1013.25
        self.environment: Callable[[float], Climate] | None = None
        self.noise_c = 0.0
        self.noise_pct = 0.0
        self.spike_probability = 0.0
        self.spike_c = 40.0
        self.bad_crc = 0.0
        self.drifts_from_s: float | None = None
        self.drift_c_per_h = 0.1
        self.humidity_pinned = False
        self.frozen = False
        self.unplugged = False
        self.conversions = 0
        self._random = Random(seed)
        self._sensed: Climate | None = None

    def sense(self) -> Climate:
        """The air at this instant, as the chip's element feels it: one conversion."""
        self.conversions += 1
        if self.frozen and self._sensed is not None:
            return self._sensed
        if self.environment is not None:
            temperature_c, humidity_pct, pressure_hpa = self.environment(self.clock.monotonic_s())
        else:
            temperature_c, humidity_pct, pressure_hpa = self.temperature_c, self.humidity_pct, self.pressure_hpa
        if self.noise_c:
            temperature_c += self._random.gauss(0, self.noise_c)
        if self.noise_pct:
            humidity_pct += self._random.gauss(0, self.noise_pct)
        if self.spike_probability and self._random.random() < self.spike_probability:
            temperature_c += math.copysign(self.spike_c, self._random.random() - 0.5)
        if self.drifts_from_s is not None:
            temperature_c += self.drift_c_per_h * (self.clock.monotonic_s() - self.drifts_from_s) / 3600
        if self.humidity_pinned:
            humidity_pct = 100.0
        self._sensed = Climate(temperature_c, humidity_pct, pressure_hpa)
        return self._sensed

    def spoil(self, crc: int) -> int:
        """The check byte as it arrives."""
        return crc ^ 0xFF if self.bad_crc and self._random.random() < self.bad_crc else crc

    def acknowledge(self) -> None:
        if self.unplugged:
            raise no_acknowledge()


def code(value: float, low: float, span: float, full: int) -> int:
    """The nearest code of a linear scale, at its end beyond.

    >>> code(25.0, -45, 175, 65535), code(500.0, -45, 175, 65535)
    (26214, 65535)
    """
    return min(full, max(0, round((value - low) / span * full)))
