"""From what was found and what was answered to the text of a configuration."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from edge_agent.setup.pins import PANEL, Wired
from edge_agent.setup.probe import Spot

COLD_ROOM_BELOW_C = 12.0  # what the thermometer shows now says where it hangs
FREEZER_BELOW_C = -10.0
# A NAU7802 at 3.0 V and gain 128 has 2^23 counts for 11.7 mV (datasheet, 2.2), and the usual cell gives 2 mV/V.
USUAL_COUNTS = 2**23 * (2.0 * 3.0) / 11.7  # of a fully loaded cell; the calibration puts it right
_FROZEN, _CHILLED = ("freez", "frozen", "deep", "ice"), ("cold", "cool", "chill", "fridge", "dairy", "meat", "milk")


@dataclass(frozen=True, slots=True)
class Climate:
    """A thermometer somebody gave a place."""

    driver: str
    place: str
    spot: Spot | None = None  # on I2C
    device: str = ""  # on 1-Wire
    pin: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    shelf: str
    spot: Spot | None = None  # a NAU7802
    pins: tuple[int, int] | None = None  # an HX711: DOUT, PD_SCK


@dataclass(frozen=True, slots=True)
class Broker:
    host: str = "localhost"
    port: int = 1883
    is_encrypted: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    username: str = ""
    password_file: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    site: str
    node: str
    broker: Broker
    climates: Sequence[Climate] = ()
    cells: Sequence[Cell] = ()
    capacities_g: dict[str, float] = field(default_factory=dict)  # by shelf
    wired: Sequence[Wired] = ()
    region: str = ""
    has_power_flags: bool = False
    board: str = "raspberry-pi"
    state: str = ""  # storage.directory, where it is not the usual one


def usual_place(temperature_c: float | None) -> str:
    """
    >>> [usual_place(c) for c in (-19.0, 4.2, 18.0, None)]
    ['freezer', 'cold-room', 'storeroom', 'storeroom']
    """
    if temperature_c is None or temperature_c >= COLD_ROOM_BELOW_C:
        return "storeroom"
    return "freezer" if temperature_c < FREEZER_BELOW_C else "cold-room"


def kind_of(place: str) -> str:
    """
    >>> [kind_of(name) for name in ("deep-freezer", "dairy-fridge", "storeroom")]
    ['frozen', 'chilled', 'ambient']
    """
    if any(word in place for word in _FROZEN):
        return "frozen"
    return "chilled" if any(word in place for word in _CHILLED) else "ambient"


def needs_the_cold(places: Iterable[str]) -> bool:
    return any(kind_of(place) != "ambient" for place in places)


def text(answers: Answers) -> str:
    """A configuration in TOML; the sample explains every key."""
    lines = [
        "# Written by `edge-agent setup`. Every key is explained in the sample, config/edge-agent.toml;",
        "# the package has it as /usr/share/doc/edge-agent/examples/edge-agent.toml.",
        "# After a change: `sudo edge-agent config check FILE`, then `sudo edge-agent reload`.",
        "",
        *_table("node", site=answers.site, name=answers.node),
        *(_table("storage", directory=answers.state) if answers.state else ()),
        *_mqtt(answers.broker),
        *(_table("board", kind=answers.board) if answers.board != "raspberry-pi" else ()),
        *(_table("food", region=answers.region) if answers.region else ()),
        *_panel(answers.wired),
        *_sensors(answers),
        *_places(answers),
        *_shelves(answers),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _mqtt(broker: Broker) -> Iterator[str]:
    yield from _table(
        "mqtt",
        host=broker.host,
        port=broker.port,
        username=broker.username or None,
        password_file=broker.password_file or None,
        insecure=True if broker.host not in ("localhost", "127.0.0.1", "::1") and not broker.is_encrypted else None,
    )
    if broker.is_encrypted:
        files = {"ca_file": broker.ca_file, "cert_file": broker.cert_file, "key_file": broker.key_file}
        yield from _table("mqtt.tls", **{key: name or None for key, name in files.items()})


def _panel(wired: Sequence[Wired]) -> Iterator[str]:
    found = {f"{each.kind}_pin": each.pins[0] for each in wired if each.kind in PANEL}
    if found:
        yield from _table("panel", **found)


def _sensors(answers: Answers) -> Iterator[str]:
    for name, climate in _named(answers):
        where = {"device": climate.device or None, "pin": climate.pin, **_spot(climate.spot)}
        yield from _table("[sensor]", name=name, driver=climate.driver, interval_s=30.0, report_s=60.0, **where)
    for number, cell in enumerate(answers.cells, 1):
        driver = "hx711" if cell.pins else "nau7802"
        pins = {"data_pin": cell.pins[0], "clock_pin": cell.pins[1]} if cell.pins else {"rate_sps": 20}
        where = {**pins, **_spot(cell.spot)}
        yield from _table("[sensor]", name=f"scale-{number}", driver=driver, interval_s=0.1, report_s=10.0, **where)
    for name, pin, _place in _contacts(answers):
        yield from _table("[sensor]", name=name, driver="contact", interval_s=1.0, report_s=60.0, pin=pin)
    if answers.has_power_flags:
        yield from _table("[sensor]", name="power", driver="power", interval_s=60.0)


def _named(answers: Answers) -> list[tuple[str, Climate]]:
    """A second thermometer in a place has a name and channels of its own; the place lists both."""
    seen: dict[str, int] = {}
    found = []
    for climate in answers.climates:
        seen[climate.place] = number = seen.get(climate.place, 0) + 1
        found.append((climate.place if number == 1 else f"{climate.place}-{number}", climate))
    return found


def _contacts(answers: Answers) -> list[tuple[str, int, str]]:
    """(name, pin, place)"""
    seen: dict[str, int] = {}
    found = []
    for wired in answers.wired:
        if wired.kind == "contact":
            seen[wired.name] = number = seen.get(wired.name, 0) + 1
            name = f"{wired.name}-door" if number == 1 else f"{wired.name}-door-{number}"
            found.append((name, wired.pins[0], wired.name))
    return found


def _places(answers: Answers) -> Iterator[str]:
    named = _named(answers)
    for place in dict.fromkeys(climate.place for _, climate in named):
        sensors = [name for name, climate in named if climate.place == place]
        door = next((name for name, _, of in _contacts(answers) if of == place), None)
        yield from _table("[place]", name=place, kind=kind_of(place), sensors=sensors, door=door)


def _shelves(answers: Answers) -> Iterator[str]:
    for shelf in dict.fromkeys(cell.shelf for cell in answers.cells):
        cells = [f"scale-{number}" for number, cell in enumerate(answers.cells, 1) if cell.shelf == shelf]
        capacity_g = answers.capacities_g[shelf]
        yield from _table("[shelf]", name=shelf, capacity_g=capacity_g)
        for cell in cells:
            yield f"# before its calibration: edge-agent calibrate {shelf}"
            counts_per_gram = round(USUAL_COUNTS / (capacity_g / len(cells)), 3)
            yield from _table("[shelf.cell]", sensor=cell, zero_counts=0, counts_per_gram=counts_per_gram)


def _spot(spot: Spot | None) -> dict[str, object]:
    if spot is None:
        return {}
    keys: dict[str, object] = {"bus": spot.bus, "address": Hex(spot.address)}
    if spot.mux_address is not None:
        keys |= {"mux_address": Hex(spot.mux_address), "mux_channel": spot.mux_channel}
    return keys


class Hex(int):
    """An address, as people and data sheets write it."""


def _table(header: str, /, **keys: object) -> list[str]:
    """None is left out."""
    return [f"[{header}]", *(f"{key} = {_value(value)}" for key, value in keys.items() if value is not None), ""]


def _value(value: object) -> str:
    """Strings, numbers, booleans and lists of strings are written in TOML as in JSON."""
    return f"0x{value:02x}" if isinstance(value, Hex) else json.dumps(value, ensure_ascii=False)
