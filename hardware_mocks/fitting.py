"""A fitting chip for every configured sensor, put where its driver will look for it.

Both simulated boards are made of this: one lets the chips feel a simulated storeroom, the other a recording.
"""

import tempfile
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from edge_agent.domain.instant import Clock
from edge_agent.domain.settings import SettingFault, SettingsError, require, within
from edge_agent.drivers.errors import BoardError
from hardware_mocks.aht20_chip import Aht20Chip
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.bme280_chip import Bme280Chip
from hardware_mocks.climate_chip import Climate, ClimateChip
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.dht_chip import DhtChip, PulseLine
from hardware_mocks.ds18b20_chip import Ds18b20Chip
from hardware_mocks.firmware import Firmware
from hardware_mocks.i2c_bus import KERNEL_TIMEOUT_S, Chip, timed_out
from hardware_mocks.load_cell import FAILURES, LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.sht4x_chip import Sht4xChip
from hardware_mocks.tca9548a_chip import Tca9548aChip

if TYPE_CHECKING:  # a storeroom without a pin loads no gpiozero, as on the Pi
    from hardware_mocks.contact_switch import ContactSwitch
    from hardware_mocks.hx711_chip import Hx711Chip
    from hardware_mocks.watched_pins import Onlooker, WatchedFactory

SPIKES = 0.2  # share of conversions that spike while the fault lasts
FAULTS = ("unplugged", "bad-checksum", "frozen", "hang", "spikes", "drift", "pinned-humidity", *FAILURES)

Sense = Callable[[float], Mapping[str, float]]  # monotonic seconds -> quantity -> value
Ranges = Mapping[str, tuple[float, float]]


class ConfiguredSensor(Protocol):
    """A ``[[sensor]]`` as the configuration gives it to ``open_board``."""

    @property
    def name(self) -> str: ...
    @property
    def driver(self) -> str: ...
    @property
    def place(self) -> str: ...
    @property
    def settings(self) -> Any:
        """The driver's own: bus, address, pin, ..."""


@dataclass(frozen=True, slots=True)
class CellSettings:
    """``[board.cell]``: the load cells that weigh; ``[[shelf]]`` is calibrated to the first two."""

    zero_counts: int = 84_000  # of the empty platform
    counts_per_gram: float = 100.0
    noise_g: float = 0.0  # RMS of one conversion
    drift_g_per_h: float = 0.0
    creep_ppm: float = 0.0

    def __post_init__(self) -> None:
        require(
            within("zero_counts", self.zero_counts, -(2**23), 2**23 - 1, "counts"),
            within("counts_per_gram", self.counts_per_gram, -1e6, 1e6, "counts/g"),
            None if self.counts_per_gram else SettingFault("counts_per_gram", self.counts_per_gram, "other than 0"),
            within("noise_g", self.noise_g, 0, 1e5, "g"),
            within("drift_g_per_h", self.drift_g_per_h, -1e5, 1e5, "g/h"),
            within("creep_ppm", self.creep_ppm, 0, 1e5, "ppm of the load"),
        )


class Fitting(Protocol):
    """What a board does to one sensor's chip."""

    sensor: str
    ranges: Ranges  # what the chip can feel, and between which values
    faults: frozenset[str]  # what it can suffer

    def feel(self, quantity: str, value: float) -> None:
        """The value is there now, until another is."""

    def follow(self, sense: Sense) -> None:
        """Feel whatever ``sense`` says at the time of each conversion (or at each ``tick``, if the chip cannot)."""

    def tremble(self, noise_c: float, noise_pct: float) -> None:
        """A climate chip's own noise, RMS."""

    def suffer(self, fault: str | None) -> None:
        """From now on this fault, or none."""

    def tick(self, mono_s: float) -> None:
        """Time has passed."""


ATTRIBUTES = {"temperature": "temperature_c", "humidity": "humidity_pct", "pressure": "pressure_hpa"}


class ClimateFitting:
    """A chip of ``ClimateChip``'s family: on an I2C bus, or a DHT on its line."""

    def __init__(self, sensor: str, chip: ClimateChip, model: "ClimateModel") -> None:
        self.sensor = sensor
        self.chip = chip
        self.ranges: Ranges = model.ranges
        self.hangs = Hang(chip.clock)
        self.faults = model.faults

    def feel(self, quantity: str, value: float) -> None:
        setattr(self.chip, ATTRIBUTES[quantity], value)

    def follow(self, sense: Sense) -> None:
        def environment(mono_s: float) -> Climate:
            values = sense(mono_s)
            return Climate(values["temperature"], values["humidity"], values["pressure"])

        self.chip.environment = environment

    def tremble(self, noise_c: float, noise_pct: float) -> None:
        self.chip.noise_c, self.chip.noise_pct = noise_c, noise_pct

    def suffer(self, fault: str | None) -> None:
        self.chip.unplugged = fault == "unplugged"
        self.chip.bad_crc = 1.0 if fault == "bad-checksum" else 0.0
        self.chip.frozen = fault == "frozen"
        self.chip.spike_probability = SPIKES if fault == "spikes" else 0.0
        self.chip.drifts_from_s = self.chip.clock.monotonic_s() if fault == "drift" else None
        self.chip.humidity_pinned = fault == "pinned-humidity"
        self.hangs.set(fault == "hang")
        if isinstance(self.chip, DhtChip):
            if fault == "hang":
                self.chip.hang()
            else:
                self.chip.power_cycle()

    def tick(self, mono_s: float) -> None: ...


class WeightFitting:
    """A load cell behind an ADC: a NAU7802 on I2C, or an HX711 on two pins."""

    ranges: Ranges = MappingProxyType(
        {"weight": (float("-inf"), float("inf"))}
    )  # beyond its end the ADC saturates by itself
    faults_on_pins: frozenset[str] = frozenset({"unplugged", "frozen", "spikes", *FAILURES})
    faults_on_bus: frozenset[str] = faults_on_pins | {"hang"}

    def __init__(self, sensor: str, chip: "Nau7802Chip | Hx711Chip", cell: LoadCell) -> None:
        self.sensor = sensor
        self.chip = chip
        self.cell = cell
        self.hangs = Hang(chip.clock)
        self.faults = self.faults_on_bus if isinstance(chip, Nau7802Chip) else self.faults_on_pins

    def feel(self, quantity: str, value: float) -> None:
        self.cell.load_g = value

    def follow(self, sense: Sense) -> None:
        self.cell.load_at = lambda mono_s: sense(mono_s)["weight"]

    def tremble(self, noise_c: float, noise_pct: float) -> None: ...

    def suffer(self, fault: str | None) -> None:
        self.chip.unplugged = fault == "unplugged"
        self.cell.frozen = fault == "frozen"
        self.cell.spike_probability = SPIKES if fault == "spikes" else 0.0
        self.cell.heal()
        if fault in FAILURES:
            self.cell.fail(fault)
        self.hangs.set(fault == "hang")

    def tick(self, mono_s: float) -> None: ...


class ProbeFitting:
    """A DS18B20: its file has to be written before it is read."""

    ranges: Ranges = MappingProxyType({"temperature": (-55.0, 125.0)})
    faults: frozenset[str] = frozenset({"unplugged", "bad-checksum", "frozen"})

    def __init__(self, sensor: str, chip: Ds18b20Chip) -> None:
        self.sensor = sensor
        self.chip = chip
        self._sense: Sense | None = None
        self._frozen = False

    def feel(self, quantity: str, value: float) -> None:
        if not self._frozen:
            self.chip.temperature_c = value

    def follow(self, sense: Sense) -> None:
        self._sense = sense

    def tremble(self, noise_c: float, noise_pct: float) -> None: ...

    def suffer(self, fault: str | None) -> None:
        for name, suffers in (("unplugged", fault == "unplugged"), ("bad_crc", fault == "bad-checksum")):
            if getattr(self.chip, name) != suffers:
                setattr(self.chip, name, suffers)
        self._frozen = fault == "frozen"

    def tick(self, mono_s: float) -> None:
        if self._sense is not None:
            self.feel("temperature", self._sense(mono_s)["temperature"])


class DoorFitting:
    """A contact: felt when its pin is sampled, but the pin is told at each tick."""

    ranges: Ranges = MappingProxyType({"open": (0.0, 1.0)})
    faults: frozenset[str] = frozenset({"unplugged", "frozen"})

    def __init__(self, sensor: str, switch: "ContactSwitch") -> None:
        self.sensor = sensor
        self.switch = switch
        self._sense: Sense | None = None
        self._frozen = False

    def feel(self, quantity: str, value: float) -> None:
        if not self._frozen:
            self.switch.is_open = value >= 0.5

    def follow(self, sense: Sense) -> None:
        self._sense = sense

    def tremble(self, noise_c: float, noise_pct: float) -> None: ...

    def suffer(self, fault: str | None) -> None:
        """A cut wire reads as a door: that is why a contact should be normally closed."""
        self.switch.is_cut = fault == "unplugged"
        self._frozen = fault == "frozen"

    def tick(self, mono_s: float) -> None:
        if self._sense is not None:
            self.feel("open", self._sense(mono_s)["open"])


class PowerFitting:
    """The firmware's flags; "unplugged" is a machine without one."""

    ranges: Ranges = MappingProxyType({"under_voltage": (0.0, 1.0), "throttled": (0.0, 1.0)})
    faults: frozenset[str] = frozenset({"unplugged"})

    def __init__(self, sensor: str, firmware: Firmware) -> None:
        self.sensor = sensor
        self.firmware = firmware

    def feel(self, quantity: str, value: float) -> None:
        setattr(self.firmware, quantity, value >= 0.5)

    def follow(self, sense: Sense) -> None: ...

    def tremble(self, noise_c: float, noise_pct: float) -> None: ...

    def suffer(self, fault: str | None) -> None:
        self.firmware.absent = fault == "unplugged"

    def tick(self, mono_s: float) -> None: ...


class Hang:
    """A chip that answers no more, but holds the bus: its transfers end when the kernel gives up, or the fault."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._over = threading.Event()
        self._over.set()

    def set(self, hangs: bool) -> None:
        if hangs:
            self._over.clear()
        else:
            self._over.set()

    def wait(self) -> None:
        if self._over.is_set():
            return
        if isinstance(self._clock, SimulatedClock):
            self._clock.sleep(KERNEL_TIMEOUT_S)
            raise timed_out()
        if not self._over.wait(10 * KERNEL_TIMEOUT_S):  # longer than any worker's patience
            raise timed_out()


class HangingChip:
    """Any I2C chip with a ``Hang`` before it."""

    def __init__(self, chip: Chip, hang: Hang) -> None:
        self.address = chip.address
        self._chip = chip
        self._hang = hang

    def write(self, frame: bytes) -> None:
        self._hang.wait()
        self._chip.write(frame)

    def read(self, count: int) -> bytes:
        self._hang.wait()
        return self._chip.read(count)


class ClimateModel(NamedTuple):
    """A driver's chip."""

    chip: Callable[..., ClimateChip]
    ranges: Ranges  # what it can measure: the first tables of its datasheet
    has_checksum: bool = True

    @property
    def faults(self) -> frozenset[str]:
        checked = {"bad-checksum"} if self.has_checksum else set()
        return frozenset({"unplugged", "frozen", "hang", "spikes", "drift", "pinned-humidity"} | checked)


AIR = {"temperature": (-40.0, 125.0), "humidity": (0.0, 100.0)}
I2C_CLIMATE = {
    "sht3x": ClimateModel(Sht3xChip, AIR),
    "sht4x": ClimateModel(Sht4xChip, AIR),
    "aht20": ClimateModel(Aht20Chip, AIR | {"temperature": (-40.0, 85.0)}),
    "bme280": ClimateModel(
        Bme280Chip, AIR | {"temperature": (-40.0, 85.0), "pressure": (300.0, 1100.0)}, has_checksum=False
    ),
}
DHT = {
    "dht22": ClimateModel(DhtChip, {"temperature": (-40.0, 80.0), "humidity": (0.0, 100.0)}),
    "dht11": ClimateModel(DhtChip, {"temperature": (0.0, 50.0), "humidity": (20.0, 90.0)}),
}


class Abilities(NamedTuple):
    """What a driver's chip can feel and suffer."""

    ranges: Ranges
    faults: frozenset[str]


ABILITIES: Mapping[str, Abilities] = {
    **{name: Abilities(model.ranges, model.faults) for name, model in (I2C_CLIMATE | DHT).items()},
    "nau7802": Abilities(WeightFitting.ranges, WeightFitting.faults_on_bus),
    "hx711": Abilities(WeightFitting.ranges, WeightFitting.faults_on_pins),
    "ds18b20": Abilities(ProbeFitting.ranges, ProbeFitting.faults),
    "contact": Abilities(DoorFitting.ranges, DoorFitting.faults),
    "power": Abilities(PowerFitting.ranges, PowerFitting.faults),
}


def without_a_chip(sensors: Sequence[ConfiguredSensor]) -> list[SettingFault]:
    """Drivers that no simulated chip goes with."""
    known = ", ".join(ABILITIES)
    return [
        SettingFault("kind", sensor.driver, f"another board: {sensor.name} is a {sensor.driver}, and here are {known}")
        for sensor in sensors
        if sensor.driver not in ABILITIES
    ]


class FittedBoard(BenchBoard):
    """A bench board on which every configured sensor has its chip."""

    def __init__(
        self,
        clock: Clock,
        sensors: Sequence[ConfiguredSensor],
        cells: CellSettings,
        *,
        seed: int = 1,
        hanging: Collection[str] = (),
    ) -> None:
        """Only the sensors ``hanging`` can suffer "hang". Raises BoardError when two sensors want one place."""
        super().__init__(clock)
        self._hanging = hanging
        del self.pin_factory  # made when the first pin is asked for
        self.firmware = Firmware()
        self.fittings: dict[str, Fitting] = {}
        self._muxes: dict[tuple[str, int], Tca9548aChip] = {}
        self._one_wire: tempfile.TemporaryDirectory[str] | None = None
        faults = []
        try:
            for index, sensor in enumerate(sensors):
                try:
                    self.fittings[sensor.name] = self._fit(sensor, cells, seed + index)
                except ValueError as error:  # the bus, the multiplexer or the pin has its place taken
                    faults.append(SettingFault(f"sensor {sensor.name}", sensor.driver, f"one that fits ({error})"))
            refuse(faults)
        except BaseException:
            self.close()
            raise

    @cached_property
    def pin_factory(self) -> "WatchedFactory":  # type: ignore[override]
        from hardware_mocks.watched_pins import WatchedFactory

        return WatchedFactory(self.clock)

    @cached_property
    def onlooker(self) -> "Onlooker":
        from hardware_mocks.watched_pins import Onlooker

        return Onlooker(self.pin_factory)

    def power_flags(self) -> int:
        return self.firmware.power_flags()

    def pace(self) -> float:
        return 0.0

    def remarks(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        for fitting in self.fittings.values():
            fitting.suffer(None)  # whoever hangs on a chip goes on
        super().close()
        if "pin_factory" in vars(self):
            self.pin_factory.close()
        if self._one_wire is not None:
            self._one_wire.cleanup()
            self._one_wire = None

    def _fit(self, sensor: ConfiguredSensor, cells: CellSettings, seed: int) -> Fitting:
        driver, settings, clock = sensor.driver, sensor.settings, self.clock
        if driver in I2C_CLIMATE:
            model = I2C_CLIMATE[driver]
            climate = ClimateFitting(sensor.name, model.chip(clock, address=settings.address, seed=seed), model)
            self._attach(climate.sensor, cast(Chip, climate.chip), climate.hangs, settings)
            return climate
        if driver in DHT:
            chip = DhtChip(clock, driver, seed=seed)
            if settings.pin in self.pulse_inputs:
                raise ValueError(f"GPIO{settings.pin} is in use already")
            self.pulse_inputs[settings.pin] = PulseLine(chip.answer)
            return ClimateFitting(sensor.name, chip, DHT[driver])
        if driver == "nau7802":
            cell = load_cell(cells, seed)
            adc = Nau7802Chip(clock, cell, cell)  # wired to both inputs: the driver's settings choose
            weight = WeightFitting(sensor.name, adc, cell)
            self._attach(weight.sensor, adc, weight.hangs, settings)
            return weight
        if driver == "hx711":
            from hardware_mocks.hx711_chip import Hx711Chip

            cell = load_cell(cells, seed)
            hx711 = Hx711Chip(clock, cell, self.pin_factory, settings.data_pin, settings.clock_pin)
            return WeightFitting(sensor.name, hx711, cell)
        if driver == "ds18b20":
            return ProbeFitting(sensor.name, Ds18b20Chip(self._one_wire_folder(), settings.device))
        if driver == "contact":
            from hardware_mocks.contact_switch import ContactSwitch

            return DoorFitting(
                sensor.name,
                ContactSwitch(
                    self.pin_factory,
                    settings.pin,
                    normally_closed=settings.normally_closed,
                    pull_up=settings.pull_up,
                ),
            )
        if driver == "power":
            return PowerFitting(sensor.name, self.firmware)
        raise ValueError(f"there is no simulated chip for the driver {driver}")

    def _attach(self, sensor: str, chip: Chip, hang: Hang, settings: Any) -> None:
        if sensor in self._hanging:
            chip = HangingChip(chip, hang)
        if settings.mux_address is None:
            self.plug_in(chip, bus=settings.bus)
            return
        place = (settings.bus, settings.mux_address)
        if place not in self._muxes:
            self._muxes[place] = Tca9548aChip(settings.mux_address)
            self.plug_in(self._muxes[place], bus=settings.bus)
        self._muxes[place].attach(settings.mux_channel, chip)

    def _one_wire_folder(self) -> Path:
        if self._one_wire is None:
            self._one_wire = tempfile.TemporaryDirectory(prefix="w1-")
            self.one_wire_path = Path(self._one_wire.name)
        assert self.one_wire_path is not None
        return self.one_wire_path


def refuse(faults: Sequence[SettingFault]) -> None:
    """Raise BoardError for settings that are right in themselves, but do not go with the sensors."""
    if faults:
        raise BoardError("board: " + str(SettingsError(faults)))


def load_cell(settings: CellSettings, seed: int) -> LoadCell:
    return LoadCell(
        counts_per_gram=settings.counts_per_gram,
        zero_counts=settings.zero_counts,
        noise_g=settings.noise_g,
        drift_g_per_h=settings.drift_g_per_h,
        creep_ppm=settings.creep_ppm,
        seed=seed,
    )
