"""The process and the machine in numbers, from /proc and /sys; None where the machine does not tell."""

import shutil
from pathlib import Path

_STATM = Path("/proc/self/statm")
_CPU = Path("/sys/class/thermal/thermal_zone0/temp")
_PAGE_MB = 4096 / 2**20


def rss_mb() -> float | None:
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_MB
    except (OSError, IndexError, ValueError):
        return None


def cpu_c() -> float | None:
    try:
        return int(_CPU.read_text()) / 1000
    except (OSError, ValueError):
        return None


def free_mb(directory: Path) -> float | None:
    try:
        return shutil.disk_usage(directory).free / 1e6
    except OSError:
        return None
