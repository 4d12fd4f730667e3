"""The storeroom that is tormented: its configuration, many channels at a high rate, commits twice a second."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SITE, NODE = "chaos", "n1"
TOPICS = f"storeroom/v1/{SITE}/{NODE}"
AIR_SENSORS = 6  # two channels each
# A kilogram on a NAU7802, which takes 2 s to set up; nothing on an HX711, which weighs at once, when it finds the time.
SHELVES = ("shelf-1", "shelf-2")
CAPACITY_G = 60_000  # 2 % of it can be zeroed: what lies there, too


@dataclass(frozen=True, slots=True)
class Rig:
    """Sixteen channels: 12 of air, 2 of load cells and what the shelves make of them."""

    folder: Path
    port: int
    interval_s: float = 0.1
    cycle_s: float = 0.1
    batch_s: float = 0.5
    backlog_records: int = 50
    host: str = "127.0.0.1"
    mqtt: Sequence[str] = ()  # further lines of [mqtt]
    state: Path | None = None
    board: Sequence[str] = field(default_factory=tuple)  # further lines of [board], tables included
    board_kind: str = "simulated"
    tables: str = ""  # further ones

    @property
    def state_folder(self) -> Path:
        return self.state or self.folder / "state"

    @property
    def config_file(self) -> Path:
        return self.folder / "agent.toml"

    def write(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(self.toml())
        return self.config_file

    def toml(self) -> str:
        head = f"""
[node]
site = "{SITE}"
name = "{NODE}"

[agent]
cycle_s = {self.cycle_s}

[storage]
directory = "{self.state_folder}"
batch_s = {self.batch_s}

[board]
kind = "{self.board_kind}"
{_lines(self.board)}

[board.shop]
customers_per_hour = 0.0
errands_per_hour = 0.0
moves_per_day = 0.0
touches_per_day = 0.0

[[board.shelf]]
name = "{SHELVES[0]}"
cells = ["scale-1"]
level = 2

[[board.shelf]]
name = "{SHELVES[1]}"
cells = ["scale-2"]
level = 0

[commands]
signatures = "off"  # staff of the campaigns has no keys

[mqtt]
host = "{self.host}"
port = {self.port}
keepalive_s = 5
backlog_records = {self.backlog_records}
{_lines(self.mqtt)}
"""
        return head + "\n".join([*self._sensors(), *map(_shelf, (1, 2)), self.tables])

    def _sensors(self) -> list[str]:
        air = [
            _sensor(f"air-{n}", "sht3x", self.interval_s, f'bus = "i2c-{n}"', f'place = "air-{n}"')
            for n in range(AIR_SENSORS)
        ]
        nau7802 = _sensor("scale-1", "nau7802", self.interval_s, 'bus = "i2c-20"', "rate_sps = 80")
        hx711 = _sensor("scale-2", "hx711", max(self.interval_s, 0.2), "data_pin = 5", "clock_pin = 6")
        return [*air, nau7802, hx711]


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def _sensor(name: str, driver: str, interval_s: float, *own: str) -> str:
    return _lines(["[[sensor]]", f'name = "{name}"', f'driver = "{driver}"', f"interval_s = {interval_s}", *own, ""])


def _shelf(number: int) -> str:
    cell = ["[[shelf.cell]]", f'sensor = "scale-{number}"', "zero_counts = 84_000", "counts_per_gram = 100.0", ""]
    head = ["[[shelf]]", f'name = "{SHELVES[number - 1]}"', f"capacity_g = {CAPACITY_G}.0", "stable_s = 0.3"]
    return _lines([*head, *cell])
