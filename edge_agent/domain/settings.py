"""Faults of a configuration: each names its key, the value found and what would be right."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

IDENTIFIER = re.compile(r"[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class SettingFault:
    key: str
    value: object
    right: str  # what would be right: "between 0.1 and 3600 s"


class SettingsError(ValueError):
    """All faults of one settings object at once; raised by its ``__post_init__``."""

    def __init__(self, faults: Iterable[SettingFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{f.key} = {f.value!r}: must be {f.right}" for f in self.faults))


def require(*found: SettingFault | None) -> None:
    """Raise SettingsError when any check found a fault.

    >>> require(within("interval_s", 0, 0.1, 3600, "s"))
    Traceback (most recent call last):
    edge_agent.domain.settings.SettingsError: interval_s = 0: must be between 0.1 and 3600 s
    """
    faults = [fault for fault in found if fault is not None]
    if faults:
        raise SettingsError(faults)


def within(key: str, value: float | None, low: float, high: float, unit: str = "") -> SettingFault | None:
    """None is an option left out, and right."""
    if value is None or low <= value <= high:  # a NaN is in no range
        return None
    return SettingFault(key, value, f"between {low:g} and {high:g} {unit}".rstrip())


def one_of(key: str, value: object, allowed: Collection[object], show: str | None = None) -> SettingFault | None:
    if value in allowed:
        return None
    return SettingFault(key, value, show or "one of " + ", ".join(map(str, allowed)))


def identifier(key: str, value: str, longest: int = 32) -> SettingFault | None:
    """Names that become topics and file names."""
    if IDENTIFIER.fullmatch(value) and len(value) <= longest:
        return None
    return SettingFault(key, value, f"1 to {longest} of the characters a-z, 0-9 and -")
