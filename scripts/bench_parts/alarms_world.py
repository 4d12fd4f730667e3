"""A storeroom of four zones for `scripts/bench alarms`: normal life, and faults planted from a seed.

The agent is given what a shopkeeper would write into its configuration: places, sensors, limits. It is not given the
rooms' physics, nor the schedule.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

DAY_S, HOUR_S = 86_400.0, 3600.0
START = "2026-06-01T00:00:00+00:00"  # a Monday
OPEN_H = (8.0, 19.5)
QUIET_DAYS = 3.0  # at the beginning nothing goes wrong
LEARNT_DAYS = 12.0  # a fault that grows over days comes after that
SLOW = ("compressor-wears", "evaporator-ices")
STOPPED_H = (4.0, 6.0)  # a compressor that is worn out stands so long until it is mended


@dataclass(frozen=True, slots=True)
class Zone:
    name: str
    kind: str  # of the simulated room
    floor_m2: float
    u_w_m2k: float
    sensors: tuple[str, ...]
    contact: str | None
    load_kg: tuple[float, float]  # what is carried in on a working day
    load_c: tuple[float, float]
    place: str  # TOML: what the shopkeeper says of it


ZONES = (
    Zone("cold-room", "cold-room", 12, 0.30, ("cold-room-a", "cold-room-b"), "cold-room-door", (30, 80), (5, 10),
         'kind = "chilled"\ngoods = ["milk", "meat"]'),
    Zone("dairy-room", "cold-room", 8, 0.45, ("dairy-room-a",), None, (20, 60), (4, 8),
         'kind = "chilled"\ngoods = ["milk"]'),
    Zone("freezer", "freezer", 8, 0.20, ("freezer-a",), "freezer-door", (15, 40), (-17, -13), 'kind = "frozen"'),
    Zone("storeroom", "ambient", 20, 1.2, ("storeroom-a",), None, (50, 150), (15, 25),
         'kind = "ambient"\nhigh_c = 25.0'),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault as it may be planted, and how often in ninety days."""

    name: str
    zones: tuple[str, ...]
    low_h: float
    high_h: float
    rest_h: float  # until the next one in the zone
    times: int
    is_sensors: bool = False


CHILLED, COLD = ("cold-room", "dairy-room"), ("cold-room", "dairy-room", "freezer")
KINDS = (
    Kind("door-left-open", COLD, 0.15, 0.5, 12, 4),
    Kind("compressor-fails", COLD, 3, 6, 24, 2),
    Kind("defrost-hangs", COLD, 1.0, 1.6, 24, 1),
    Kind("runs-on", CHILLED, 16, 22, 24, 1),
    Kind("compressor-wears", COLD, 120, 200, 48, 1),
    Kind("evaporator-ices", COLD, 110, 150, 48, 1),
    Kind("frozen", ("cold-room", "dairy-room", "freezer", "storeroom"), 10, 30, 12, 1, is_sensors=True),
    Kind("spikes", ("cold-room", "dairy-room", "storeroom"), 3, 8, 12, 1, is_sensors=True),
    Kind("drift", ("cold-room",), 40, 50, 12, 1, is_sensors=True),
    Kind("pinned-humidity", ("cold-room", "storeroom"), 12, 24, 12, 1, is_sensors=True),
    Kind("unplugged", ("dairy-room", "storeroom"), 0.5, 2, 12, 1, is_sensors=True),
)


@dataclass(frozen=True, slots=True)
class Planted:
    kind: str
    zone: str
    at_s: float
    for_s: float
    sensor: str | None = None


def schedule(days: float, seed: int) -> list[Planted]:
    """One fault at a time in each zone, in any order, as many of ninety days' as there is room for."""
    return [planted for zone in ZONES for planted in _of_zone(zone, days, Random(f"faults {seed} {zone.name}"))]


def _of_zone(zone: Zone, days: float, random: Random) -> Iterator[Planted]:
    wanted = [kind for kind in KINDS if zone.name in kind.zones for _ in range(kind.times)]
    random.shuffle(wanted)
    quick = [kind for kind in wanted if kind.name not in SLOW]
    for kind in wanted:
        if kind.name in SLOW:
            quick.insert(random.randint(len(quick) // 2, len(quick)), kind)
    lasting = [(kind, random.uniform(kind.low_h, kind.high_h)) for kind in quick]
    while lasting and sum(hours + kind.rest_h + 24 for kind, hours in lasting) > 24 * (days - QUIET_DAYS):
        lasting.pop(random.randrange(len(lasting)))
    spare_h = 24 * (days - QUIET_DAYS) - sum(hours + kind.rest_h + 24 for kind, hours in lasting)
    cuts = sorted(random.uniform(0, spare_h) for _ in lasting)
    now_h = 24 * QUIET_DAYS
    for (kind, hours), cut, before in zip(lasting, cuts, [0.0, *cuts], strict=False):
        now_h += cut - before
        at_h = _in_the_day(now_h, random) if kind.name == "door-left-open" else now_h + random.uniform(0, 24)
        if kind.name not in SLOW or at_h >= 24 * LEARNT_DAYS:
            yield from _planted(kind, zone, HOUR_S * at_h, HOUR_S * hours, random)
        now_h += 24 + hours + kind.rest_h


def _in_the_day(now_h: float, random: Random) -> float:
    """Within the next day, while the shop is open."""
    at_h = 24 * (now_h // 24) + random.uniform(*OPEN_H)
    return at_h if at_h >= now_h else at_h + 24


def _planted(kind: Kind, zone: Zone, at_s: float, for_s: float, random: Random) -> Iterator[Planted]:
    yield Planted(kind.name, zone.name, at_s, for_s, random.choice(zone.sensors) if kind.is_sensors else None)
    if kind.name == "compressor-wears":
        yield Planted("compressor-fails", zone.name, at_s + for_s, HOUR_S * random.uniform(*STOPPED_H))


def config(
    days: float, seed: int, planted: Sequence[Planted], directory: str, zones: Sequence[Zone] = ZONES
) -> str:  # fmt: skip
    """The whole configuration as TOML."""
    mine = [one for one in planted if one.zone in {zone.name for zone in zones}]
    return "\n".join(
        [
            f'[node]\nsite = "bench"\nname = "alarms"\n\n[agent]\ncycle_s = 30.0\n\n[food]\nregion = "england"\n\n'
            f'[storage]\ndirectory = "{directory}"\nbatch_s = 300.0\n\n'
            f'[board]\nkind = "simulated"\nspeed = 0\nseed = {seed}\nstart = "{START}"\nstep_s = 10.0\n'
            "sensor_lag_s = 45.0\n\n[board.climate]\nmean_c = 16.0\nunrest_k = 2.0\n\n"
            "[board.shop]\nerrands_per_hour = 1.5\n",
            *map(_zone, zones),
            *(load for zone in zones for load in _loads(zone, days, Random(f"loads {seed} {zone.name}"))),
            *_hot_spells(days, Random(f"spells {seed}")),
            *map(_fault, mine),
            *_sensors(zones),
        ]
    )


def _zone(zone: Zone) -> str:
    door = f'door = "{zone.contact}"\n' if zone.contact else ""
    sensors = ", ".join(f'"{name}"' for name in zone.sensors)
    return (
        f'[[board.room]]\nname = "{zone.name}"\nkind = "{zone.kind}"\nfloor_m2 = {zone.floor_m2}\n'
        f"u_w_m2k = {zone.u_w_m2k}\n\n"
        f'[[place]]\nname = "{zone.name}"\n{zone.place}\nsensors = [{sensors}]\n{door}'
    )


def _loads(zone: Zone, days: float, random: Random) -> Iterator[str]:
    """Goods every working day; the fifth day's delivery is a large one."""
    for day in range(1, int(days)):
        if day % 7 == 6:
            continue
        at_s = DAY_S * day + HOUR_S * random.uniform(6.0, 7.5)
        kilograms = random.uniform(*zone.load_kg) * (1.5 if day % 7 == 4 else 1.0)
        yield (
            f'[[board.load]]\nroom = "{zone.name}"\nat_s = {at_s:.0f}\nkilograms = {kilograms:.1f}\n'
            f"temperature_c = {random.uniform(*zone.load_c):.1f}\ntrips = {random.randint(3, 8)}\n"
            f"trip_s = {random.uniform(20, 80):.0f}\n"
        )


def _hot_spells(days: float, random: Random) -> Iterator[str]:
    """About one in a month, three to six days each."""
    for number in range(max(1, round(days / 30))):
        at_s = DAY_S * min(days - 1, random.uniform(30 * number + 2, 30 * number + 22))
        yield (
            f"[[board.hot_spell]]\nat_s = {at_s:.0f}\nfor_s = {DAY_S * random.uniform(3, 6):.0f}\n"
            f"warmer_k = {random.uniform(8, 15):.1f}\n"
        )


def _fault(planted: Planted) -> str:
    where = f'sensor = "{planted.sensor}"' if planted.sensor else f'room = "{planted.zone}"'
    when = f"at_s = {planted.at_s:.0f}\nfor_s = {planted.for_s:.0f}"
    return f'[[board.fault]]\nkind = "{planted.kind}"\n{when}\n{where}\n'


def _sensors(zones: Sequence[Zone]) -> Iterator[str]:
    channel = 0
    for zone in zones:
        for name in zone.sensors:
            yield (
                f'[[sensor]]\nname = "{name}"\ndriver = "sht4x"\ninterval_s = 30.0\nreport_s = 3600.0\n'
                f"mux_address = 0x70\nmux_channel = {channel}\n"
            )
            channel += 1
    for pin, contact in enumerate((zone.contact for zone in zones if zone.contact), 20):
        yield (
            f'[[sensor]]\nname = "{contact}"\ndriver = "contact"\ninterval_s = 30.0\nreport_s = 3600.0\npin = {pin}\n'
        )
