"""What systemd is told: ready, alive, stopping. sd_notify(3) is one datagram; no library needed."""

import os
import socket


def notify(state: str) -> bool:
    """Send e.g. "READY=1"; False where no systemd listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # abstract socket namespace
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(state.encode(), address)
        except OSError:
            return False
    return True


def watchdog_s() -> float | None:
    """How often systemd wants a sign of life (WatchdogSec), s; None when it does not watch this process."""
    period_us, pid = os.environ.get("WATCHDOG_USEC"), os.environ.get("WATCHDOG_PID")
    if not period_us or (pid and pid != str(os.getpid())):
        return None
    return int(period_us) / 1e6
