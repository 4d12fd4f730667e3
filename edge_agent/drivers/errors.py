"""Every way a sensor can fail, on one page. ``fault`` is the short code that travels with the reading."""

from typing import ClassVar


class SensorError(Exception):
    """A chip did not answer, or answered what cannot be trusted."""

    fault: ClassVar[str] = "fault"


class NoAnswer(SensorError):
    """Nothing acknowledged on the bus, no file, no pulse."""

    fault = "no-answer"


class BusHeld(SensorError):
    """Another device holds the bus, or the transfer timed out."""

    fault = "bus-held"


class BadChecksum(SensorError):
    fault = "checksum"


class NotReady(SensorError):
    """No conversion within the chip's time."""

    fault = "not-ready"


class OutOfRange(SensorError):
    """A value the chip cannot measure."""

    fault = "out-of-range"


class Saturated(SensorError):
    """The ADC stands at its end: not a weight."""

    fault = "saturated"


class Misconfigured(SensorError):
    """The chip's registers are not as we left them, or its calibration failed."""

    fault = "misconfigured"


class Unconfirmed(SensorError):
    """A sudden value that two more reads have not confirmed yet."""

    fault = "unconfirmed"


class BoardError(Exception):
    """A board cannot be opened, or not play what it is asked to: names what, and what would be right."""
