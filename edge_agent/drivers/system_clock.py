"""The machine's own clock, and whether the network has set it since the boot."""

import ctypes
import time
import uuid
from collections.abc import Callable
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SYNCHRONISED_BELOW_US = 16_000_000  # the kernel's NTP_PHASE_LIMIT: its maximum error before anybody has set the clock
ASK_EVERY_S = 5.0  # the cycle asks every time; the answer changes once in a boot


class SystemClock:
    """CLOCK_MONOTONIC and CLOCK_REALTIME: a Pi does not suspend, so boot time is no different from monotonic."""

    def __init__(self, boot_id: Path = BOOT_ID, max_error_us: Callable[[], int | None] | None = None) -> None:
        self._max_error_us = max_error_us or kernel_max_error_us
        self._asked_s = float("-inf")
        self._synchronised = False
        self.boot = boot_name(boot_id)

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()

    def is_synchronised(self) -> bool:
        """Whether the kernel's estimate of the clock's error is below 16 s, as systemd's NTPSynchronized has it.

        The kernel starts with 16 s, a time daemon lowers it, and without one it grows by 0.5 ms/s: after some nine
        hours alone a clock counts as unsynchronised again. The flag STA_UNSYNC (adjtimex's TIME_ERROR) says less: a
        daemon may leave it set to keep the kernel from writing a battery clock.
        """
        now_s = time.monotonic()
        if now_s - self._asked_s >= ASK_EVERY_S:
            self._synchronised = is_synchronised(self._max_error_us())
            self._asked_s = now_s
        return self._synchronised

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


def boot_name(boot_id: Path) -> str:
    """Names this boot; a random name where the kernel has none, because no two boots may share one.

    >>> len(boot_name(BOOT_ID))
    8
    """
    try:
        return boot_id.read_text(encoding="ascii").strip()[:8]
    except OSError:
        return uuid.uuid4().hex[:8]


def is_synchronised(max_error_us: int | None) -> bool:
    """
    >>> is_synchronised(3_500), is_synchronised(16_000_000), is_synchronised(None)
    (True, False, False)
    """
    return max_error_us is not None and max_error_us < SYNCHRONISED_BELOW_US


class _Timex(ctypes.Structure):
    """The beginning of ``struct timex`` (adjtimex(2)); the rest only needs its room."""

    _fields_ = (
        ("modes", ctypes.c_uint),  # 0: change nothing, tell everything
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("room", ctypes.c_long * 40),
    )


def kernel_max_error_us() -> int | None:
    """adjtimex(2); None where it is refused or there is none."""
    timex = _Timex()
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except AttributeError:
        return None
    return None if adjtimex(ctypes.byref(timex)) == -1 else timex.maxerror
