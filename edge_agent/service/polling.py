"""One read of one sensor, and when to try a failing one again. Knows no thread."""

import logging
from dataclasses import dataclass

from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality, Reading, Sample
from edge_agent.drivers.errors import SensorError
from edge_agent.drivers.seam import Sensor

log = logging.getLogger(__name__)

FAULT_AFTER = 3  # failures in a row, then back off
MAX_BACKOFF_S = 60.0


@dataclass(slots=True)
class Polled:
    """A sensor in service: its plan and what its last reads came to."""

    name: str
    sensor: Sensor
    interval_s: float | None  # None: the board's moments say when
    failures: int = 0
    fault: str | None = None
    retry_mono_ms: int = 0  # while backing off: not before

    def take(self, at: Instant) -> Sample:
        """One sample, whatever happens: a sensor that cannot be trusted gives bad readings, never a number."""
        if at.mono_ms < self.retry_mono_ms:
            return bad_sample(self, at, self.fault or "fault")
        try:
            readings = tuple(self.sensor.read(at))
        except SensorError as error:
            return self._failed(at, error.fault, str(error))
        except Exception as error:
            # The outermost edge of a driver: lesson 16, one exception must not end the polling of the others.
            log.exception("sensor %s: the driver failed", self.name)
            return self._failed(at, "driver", repr(error))
        if self.failures >= FAULT_AFTER:
            log.warning("sensor %s: measures again after %d failures", self.name, self.failures)
        self.failures, self.fault, self.retry_mono_ms = 0, None, 0
        return Sample(self.name, at, readings)

    def _failed(self, at: Instant, fault: str, words: str) -> Sample:
        self.failures += 1
        self.fault = fault
        if self.failures == FAULT_AFTER:
            log.error("sensor %s: %s (%s), %d times in a row", self.name, words, fault, self.failures)
        else:
            log.debug("sensor %s: %s (%s)", self.name, words, fault)
        if self.interval_s is not None:
            self.retry_mono_ms = at.mono_ms + round(1000 * backoff_s(self.failures))
        return bad_sample(self, at, fault)


def backoff_s(failures: int) -> float:
    """
    >>> [backoff_s(n) for n in (1, 2, 3, 4, 5, 8, 9, 50)]
    [0.0, 0.0, 1.0, 2.0, 4.0, 32.0, 60.0, 60.0]
    """
    if failures < FAULT_AFTER:
        return 0.0
    return float(min(MAX_BACKOFF_S, 2.0 ** min(failures - FAULT_AFTER, 10)))


def bad_sample(polled: Polled, at: Instant, fault: str) -> Sample:
    return Sample(
        polled.name,
        at,
        tuple(Reading(channel, None, at, Quality.BAD, fault) for channel in polled.sensor.channels),
    )
