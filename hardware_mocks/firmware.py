"""The Pi's firmware, as far as its power supply goes."""

import errno

_UNDER_VOLTAGE, _THROTTLED = 1 << 0, 1 << 2
_SINCE_BOOT = 16  # each condition has a second bit so much higher, set until the next boot


class Firmware:
    """
    >>> firmware = Firmware()
    >>> firmware.under_voltage = True
    >>> firmware.under_voltage = False
    >>> hex(firmware.power_flags())
    '0x10000'
    """

    def __init__(self) -> None:
        self.absent = False  # another machine than a Pi
        self._flags = 0

    @property
    def under_voltage(self) -> bool:
        return bool(self._flags & _UNDER_VOLTAGE)

    @under_voltage.setter
    def under_voltage(self, on: bool) -> None:
        self._set(_UNDER_VOLTAGE, on)

    @property
    def throttled(self) -> bool:
        return bool(self._flags & _THROTTLED)

    @throttled.setter
    def throttled(self, on: bool) -> None:
        self._set(_THROTTLED, on)

    def power_flags(self) -> int:
        if self.absent:
            raise FileNotFoundError(errno.ENOENT, "no firmware driver on this machine", "get_throttled")
        return self._flags

    def _set(self, condition: int, on: bool) -> None:
        if on:
            self._flags |= condition | condition << _SINCE_BOOT
        else:
            self._flags &= ~condition
