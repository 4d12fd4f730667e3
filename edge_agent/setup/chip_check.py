"""Whether every configured sensor answers; where it does not, what answers in its place."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_agent.config.settings import SensorSettings
from edge_agent.domain.instant import Instant
from edge_agent.domain.quantity import QUANTITIES
from edge_agent.drivers.errors import BadChecksum, BoardError, BusHeld, NoAnswer, SensorError
from edge_agent.drivers.seam import Board
from edge_agent.drivers.table import driver
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.setup.buses import probes_of
from edge_agent.setup.finding import Finding, fail, ok, warn
from edge_agent.setup.probe import BusSilent, Found, Spot, scan

TRIES = 3  # a third of a DHT's answers are lost on Linux
WIRES = "it answers, and not rightly: see its plug, the length of its cable (I2C: a metre or two), and its supply"
SAME = {"dht11": "dht22", "dht22": "dht11"}


def chips(sensors: Sequence[SensorSettings], board: Board) -> Iterator[Finding]:
    """One read of each; a bus on which one is missing is looked through once."""
    look = _Look(board, frozenset(spot_of(sensor) for sensor in sensors if hasattr(sensor.settings, "address")))
    watch = ClockWatch(board.clock)
    for sensor in sensors:
        yield _one(sensor, board, watch, look)


@dataclass(slots=True)
class _Look:
    board: Board
    taken: frozenset[Spot]  # by the configuration
    seen: dict[str, Sequence[Found] | str] = field(default_factory=dict)  # by bus: what answers, or why nobody knows

    def at(self, bus: str) -> Sequence[Found] | str:
        if bus not in self.seen:
            self.seen[bus] = looked(self.board, bus)
        return self.seen[bus]


def spot_of(sensor: SensorSettings) -> Spot:
    settings = sensor.settings
    return Spot(settings.bus, settings.address, settings.mux_address, settings.mux_channel)


def _one(sensor: SensorSettings, board: Board, watch: ClockWatch, look: _Look) -> Finding:
    try:
        opened = driver(sensor.driver).open_sensor(sensor.place, sensor.settings, board)
    except (SensorError, BoardError, OSError) as error:
        return fail("sensor", f"{sensor.name} ({sensor.driver}): {error}", "see its pins or its bus")
    try:
        told = _tried(opened, watch, board)
    finally:
        opened.close()
    if isinstance(told, str):
        return ok("sensor", f"{sensor.name} ({sensor.driver}) says {told}")
    if hasattr(sensor.settings, "address"):
        return _on_bus(sensor, told, look)
    return fail("sensor", f"{sensor.name} ({sensor.driver}): {told}", _cure(sensor, board))


def _tried(opened: Any, watch: ClockWatch, board: Board) -> str | Exception:
    """What it says, or why it says nothing."""
    last: Exception = NoAnswer("not asked")
    for attempt in range(TRIES):
        if attempt:
            board.clock.sleep(opened.min_interval_s)
        at: Instant = watch.now()
        try:
            return ", ".join(_value(reading.channel.quantity, reading.value) for reading in opened.read(at))
        except (SensorError, BoardError, OSError) as error:
            last = error
    return last


def _value(quantity: str, value: float | None) -> str:
    unit = {"Cel": "°C", "1": "", "{counts}": "counts"}.get(QUANTITIES[quantity].unit, QUANTITIES[quantity].unit)
    told = "nothing" if value is None else f"{value:.1f}".removesuffix(".0")
    return f"{quantity.replace('_', ' ')} {told} {unit}".rstrip()


def _cure(sensor: SensorSettings, board: Board) -> str:
    if sensor.driver == "ds18b20":
        there = ", ".join(probes_of(board)) or "none"
        return f"device must be one of those on the bus: {there}; else see its three wires and the 4.7 kΩ resistor"
    if sensor.driver in SAME:
        return f"see its wires and the 10 kΩ resistor; a {SAME[sensor.driver]} at the same pin speaks otherwise"
    if sensor.driver == "hx711":
        return "see its supply, and that data_pin is DOUT and clock_pin is PD_SCK (BCM numbers, not places)"
    return "see its wires"


def _on_bus(sensor: SensorSettings, error: Exception, look: _Look) -> Finding:
    words, spot = f"{sensor.name} ({sensor.driver}): {error}", spot_of(sensor)
    found = look.at(spot.bus)
    if isinstance(found, str):
        return fail("sensor", words, found)
    if isinstance(error, BusHeld):
        return fail("sensor", words, "unplug the chips of this bus one after another until it answers")
    if isinstance(error, BadChecksum) and all(each.spot != spot for each in found):
        return fail("sensor", words, WIRES)  # it speaks, and so badly that it cannot even say what it is
    return fail("sensor", words, cure_of(sensor.driver, spot, found, look.taken))


def looked(board: Board, bus: str) -> Sequence[Found] | str:
    """What answers there, or why nobody knows."""
    try:
        return scan(board, bus)
    except BusSilent as error:
        return str(error)
    except (OSError, BoardError) as error:
        return f"{getattr(error, 'strerror', None) or error}"


def cure_of(wanted: str, spot: Spot, found: Sequence[Found], taken: Collection[Spot] = ()) -> str:
    """What answers instead, and the line to write. A chip that another sensor is configured for is not proposed.

    >>> cure_of("sht3x", Spot("i2c-1", 0x44), [Found(Spot("i2c-1", 0x45), "sht3x", "SHT3x")])
    'an SHT3x answers at 0x45: address = 0x45'
    >>> cure_of("sht3x", Spot("i2c-1", 0x44), [Found(Spot("i2c-1", 0x44), "sht4x", "SHT4x, serial number 1")])
    'an SHT4x, serial number 1 answers there: driver = "sht4x"'
    """
    here = next((each for each in found if each.spot == spot), None)
    if here is not None and here.driver is not None and here.driver != wanted:
        return f'an {here.words} answers there: driver = "{here.driver}"'
    if here is not None and here.driver is None:
        return f"what answers there is {here.words}: see the sensor's address"
    if here is not None:
        return WIRES
    same = [each.spot for each in found if each.driver == wanted and each.spot not in taken]
    if same:
        return " or ".join(f"an {_words(found, each)} answers at {_where(each, spot)}: {_keys(each)}" for each in same)
    there = ", ".join(f"{each.words} at {_where(each.spot, spot)}" for each in found) or "nothing at all"
    return f"see its plug and its supply; on {spot.bus} there answers: {there}"


def _words(found: Sequence[Found], spot: Spot) -> str:
    return next(each.words for each in found if each.spot == spot)


def _where(spot: Spot, like: Spot) -> str:
    behind = "" if spot.mux_address is None else f"0x{spot.mux_address:02x} channel {spot.mux_channel}, "
    return behind + f"0x{spot.address:02x}"


def _keys(spot: Spot) -> str:
    keys = f"address = 0x{spot.address:02x}"
    if spot.mux_address is not None:
        keys += f", mux_address = 0x{spot.mux_address:02x}, mux_channel = {spot.mux_channel}"
    return keys


def as_told(health: Mapping[str, Any]) -> Iterator[Finding]:
    """Of a running agent, whose chips are its own: what it last said of them."""
    for name, point in health.get("points", {}).items():
        ratio, fault, ago_s = point.get("good_ratio"), point.get("fault"), point.get("last_good_s")
        good = "-" if ratio is None else f"{100 * ratio:.0f} % good"
        if fault is None:
            yield ok("sensor", f"{name}: {good}, as the agent says")
            continue
        ago = "never" if ago_s is None else f"{ago_s:.0f} s ago"
        cure = "`sudo systemctl stop edge-agent` and `edge-agent doctor` again says what answers on the bus instead"
        is_brief = ratio is not None and ratio > 0.5
        told = f"{name}: {fault}, last good {ago}, {good}, as the agent says"
        yield warn("sensor", told, cure) if is_brief else fail("sensor", told, cure)
