"""The machine below the agent: user and groups, device nodes, overlays, the clock, the card."""

import grp
import os
import pwd
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.config import Settings
from edge_agent.setup.finding import Finding, fail, ok, warn

AGENT = "edge-agent"  # the user that the unit runs as
FIRMWARE_CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")  # since Debian 12, and before
NO_CLOCK_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)  # this programme is younger: a clock before it was never set
WRITTEN_GB_PER_DAY = 10.0  # more of it wears a usual card (some 100 TB) out within the years of a storeroom
LIFE_WARN = 9  # JEDEC eMMC 5.1, 7.4.79: 0x09 is 80 to 90 % of the life used
_ON_GPIO = ("dht11", "dht22", "hx711", "contact")
_SECTOR_BYTES = 512  # of /sys/block/*/stat, whatever the device's own


@dataclass(frozen=True, slots=True)
class User:
    name: str
    uid: int
    gids: frozenset[int]
    groups: frozenset[str]  # by name


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look; a test gives it another ground."""

    root: Path = Path("/")


def user_called(name: str) -> User | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    gids = frozenset(os.getgrouplist(name, found.pw_gid))
    return User(name, found.pw_uid, gids, frozenset(filter(None, map(_group_name, gids))))


def this_user() -> User:
    uid, gids = os.geteuid(), frozenset({os.getegid(), *os.getgroups()})
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container that knows the number alone
        name = str(uid)
    return User(name, uid, gids, frozenset(filter(None, map(_group_name, gids))))


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def may(node: Path, user: User, bits: int = 0o6) -> bool:
    """Whether that user may read and write there, by its mode alone; root may always."""
    if user.uid == 0:
        return True
    found = node.stat()
    if found.st_uid == user.uid:
        return found.st_mode >> 6 & bits == bits
    shift = 3 if found.st_gid in user.gids else 0
    return found.st_mode >> shift & bits == bits


# --- what the configured sensors need of a Raspberry Pi --------------------------------------------------------------


def needs(settings: Settings, machine: Machine, user: User) -> Iterator[Finding]:
    """Device nodes, groups and overlays, as far as this configuration wants them."""
    drivers = {sensor.driver for sensor in settings.sensors}
    buses = sorted({sensor.settings.bus for sensor in settings.sensors if hasattr(sensor.settings, "bus")})
    for bus in buses:
        yield _node(machine, user, machine.root / "dev" / bus, "i2c", overlay_of(bus), "the I2C bus")
    if any(driver in _ON_GPIO for driver in drivers) or any(True for _ in settings.panel.pins()):
        yield from _gpio(machine, user)
    if "ds18b20" in drivers:
        yield _one_wire(machine)


def overlay_of(bus: str) -> str:
    """The line of config.txt that makes the bus.

    >>> overlay_of("i2c-1"), overlay_of("i2c-0"), overlay_of("i2c-3")
    ('dtparam=i2c_arm=on', 'dtparam=i2c_vc=on', 'dtoverlay=i2c3')
    """
    return {"i2c-1": "dtparam=i2c_arm=on", "i2c-0": "dtparam=i2c_vc=on"}.get(bus, f"dtoverlay={bus.replace('-', '')}")


def has_line(text: str, line: str) -> bool:
    """Whether config.txt has it, and not in a comment; `on`, `1` and nothing at all mean the same.

    >>> line = "dtparam=i2c_arm=on"
    >>> [has_line(text, line) for text in ("#" + line, "dtparam=i2c_arm=off", "dtparam=i2c_arm,spi=on", line)]
    [False, False, True, True]
    """
    kind, _, wanted = line.partition("=")
    name = wanted.partition("=")[0]
    for each in text.splitlines():
        key, _, value = each.split("#")[0].strip().partition("=")
        if key.strip() == kind and re.search(
            rf"(?:^|,){re.escape(name)}(?:=(?:on|1|yes))?(?:,|=on|=1|$)", value.strip()
        ):
            return True
    return False


def missing(machine: Machine, line: str) -> str:
    """The cure of something that an overlay makes."""
    path = next((machine.root / name for name in FIRMWARE_CONFIGS if (machine.root / name).exists()), None)
    if path is None:
        return (
            f'add the line "{line}" to /boot/firmware/config.txt and restart (no such file here: is it a Raspberry Pi?)'
        )
    if has_line(path.read_text("utf-8", errors="replace"), line):
        return f'the line "{line}" stands in {path}: restart; if it is still missing then, see `dmesg`'
    return f'add the line "{line}" to {path} and restart'


def _node(machine: Machine, user: User, node: Path, group: str, line: str, what: str) -> Finding:
    if not node.exists():
        extra = "; `modprobe i2c-dev` where only the node is missing" if group == "i2c" else ""
        return fail(what.split()[-1], f"{what} {node.name} is not there ({node})", missing(machine, line) + extra)
    if may(node, user):
        return ok(what.split()[-1], f"{node}: {user.name} may use it")
    return fail(what.split()[-1], f"{node}: {user.name} may not use it", _into_group(node, user, group))


def _into_group(node: Path, user: User, group: str) -> str:
    restart = "then restart the agent (or log in anew)"
    if group not in user.groups:
        return f"sudo usermod -aG {group} {user.name}, {restart}"
    mode = stat.S_IMODE(node.stat().st_mode)
    return (
        f"{user.name} is in the group {group}, but the node belongs to {_group_name(node.stat().st_gid) or 'no group'} "
        f"with mode {mode:04o}: install the udev rules of the package (deploy/), then `udevadm trigger`"
    )


def _gpio(machine: Machine, user: User) -> Iterator[Finding]:
    chips = sorted((machine.root / "dev").glob("gpiochip[0-9]*"))
    if not chips:
        yield fail("gpio", "there is no /dev/gpiochip*", "a kernel with GPIO (Raspberry Pi OS, Debian): is this a Pi?")
        return
    refused = [chip for chip in chips if not may(chip, user)]
    if refused:
        yield fail("gpio", f"{refused[0]}: {user.name} may not use it", _into_group(refused[0], user, "gpio"))
    else:
        yield ok("gpio", f"{chips[0]}{' and others' if len(chips) > 1 else ''}: {user.name} may use it")


def _one_wire(machine: Machine) -> Finding:
    folder = machine.root / "sys/bus/w1/devices"
    if not folder.exists() or not any(folder.glob("w1_bus_master*")):
        return fail("1-wire", "there is no 1-Wire bus", missing(machine, "dtoverlay=w1-gpio"))
    return ok("1-wire", "the 1-Wire bus is there")


# --- the clock --------------------------------------------------------------------------------------------------------


def clock(now: datetime, machine: Machine, *, is_synchronised: bool) -> Iterator[Finding]:
    has_battery = any((machine.root / "sys/class/rtc").glob("rtc[0-9]*"))
    ntp = "a network with a time server (`timedatectl`), or a clock module (dtoverlay=i2c-rtc,ds3231)"
    if now < NO_CLOCK_BEFORE:
        words = f"the clock stands in {now:%Y}: nobody has set it since the power came"
        yield fail("clock", f"{words}; certificates seem not valid yet, and the record has no right times", ntp)
    elif not is_synchronised:
        yield warn("clock", f"it is {now:%Y-%m-%d %H:%M} UTC, and no time server has confirmed it", ntp)
    else:
        yield ok("clock", f"it is {now:%Y-%m-%d %H:%M} UTC, confirmed by a time server")
    if has_battery:
        yield ok("clock", "there is a clock with a battery: the time survives a power cut")
    else:
        words = "there is no clock with a battery: after a power cut without network the times are wrong at first"
        yield ok("clock", f"{words} (the agent puts them right later)")


# --- the card ---------------------------------------------------------------------------------------------------------


def disk(directory: Path, user: User, least_mb: float) -> Iterator[Finding]:
    nearest = next(path for path in (directory, *directory.parents) if path.exists())
    if not nearest.is_dir():
        yield fail("disk", f"storage.directory {directory}: {nearest} is a file", "name a directory")
        return
    if os.statvfs(nearest).f_flag & os.ST_RDONLY:
        cure = "`sudo mount -o remount,rw /`; if that fails, or it comes back: a new card (the kernel's words: `dmesg`)"
        yield fail("disk", f"{nearest} is mounted read-only: the card is worn out or was pulled while writing", cure)
    elif nearest == directory and not may(nearest, user, 0o3):
        yield fail("disk", f"{nearest}: {user.name} may not write there", f"sudo chown {user.name} {nearest}")
    free_mb = shutil.disk_usage(nearest).free / 1e6
    if free_mb < least_mb:
        cure = "free some space: `sudo journalctl --vacuum-size=50M`, `sudo apt clean`"
        yield fail("disk", f"{free_mb:.0f} MB are free at {nearest}; less than {least_mb:.0f} MB is an alarm", cure)
    else:
        yield ok("disk", f"{free_mb / 1000:.1f} GB are free at {nearest}")


def wear(machine: Machine) -> Iterator[Finding]:
    """What the kernel knows of the card; nothing where there is none."""
    for device in sorted((machine.root / "sys/block").glob("mmcblk[0-9]")):
        written_gb = _written_gb(device)
        days = _uptime_days(machine)
        if written_gb is not None and days:
            per_day = written_gb / days
            words = f"{device.name}: {written_gb:.2f} GB written since the start, {per_day:.2f} GB a day"
            if per_day > WRITTEN_GB_PER_DAY and days > 1:
                yield warn("card", words, "see what writes so much: `sudo iotop -ao`; the agent itself writes far less")
            else:
                yield ok("card", words)
        used = _life_used(device)
        if used is not None:
            words = f"{device.name} says that about {10 * used} % of its life is used"
            cure = "a new card or module soon: copy this one while it can be read"
            yield warn("card", words, cure) if used >= LIFE_WARN else ok("card", words)


def _written_gb(device: Path) -> float | None:
    """Field 7 of Documentation/block/stat: sectors written."""
    try:
        return int((device / "stat").read_text("ascii").split()[6]) * _SECTOR_BYTES / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _life_used(device: Path) -> int | None:
    """eMMC only: two estimates in tenths, "0x01 0x02"."""
    try:
        return max(int(word, 16) for word in (device / "device" / "life_time").read_text("ascii").split())
    except (OSError, ValueError):
        return None


def _uptime_days(machine: Machine) -> float | None:
    try:
        return float((machine.root / "proc/uptime").read_text("ascii").split()[0]) / 86_400
    except (OSError, ValueError, IndexError):
        return None


def who(user: User, *, is_agent: bool, groups: Sequence[str] = ("gpio", "i2c")) -> Finding:
    if user.uid == 0:
        return ok("user", "checked as root, who may everything: no permission was proved")
    if not is_agent:
        return ok("user", f"checked for {user.name}: the user {AGENT} of the package is not there")
    missing_groups = [group for group in groups if group not in user.groups]
    if missing_groups:
        cure = f"sudo usermod -aG {','.join(missing_groups)} {user.name}, if its sensors need them"
        return warn("user", f"{user.name} is not in the group {' and '.join(missing_groups)}", cure)
    return ok("user", f"{user.name} is there, in the groups {' and '.join(groups)}")
