"""Aosong AHT20 at the level of its I2C frames (datasheet, chapters 5 and 6)."""

from edge_agent.domain.instant import Clock
from edge_agent.drivers.i2c import crc8
from hardware_mocks.climate_chip import ClimateChip, code
from hardware_mocks.i2c_bus import no_acknowledge

_CONVERSION_S = 0.080
_RESET, _INITIALISE, _INITIALISE_AHT10, _TRIGGER, _STATUS = 0xBA, 0xBE, 0xE1, 0xAC, 0x71
_BUSY, _CALIBRATED = 0x80, 0x08


class Aht20Chip(ClimateChip):
    """Every read starts with the status byte; while it is busy, the older conversion follows.

    ``always_busy`` never ends a conversion; ``calibrates`` False is a chip whose calibration does not hold;
    ``answers_aht10`` False is a newer one, that refuses the older chip's command.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        address: int = 0x38,
        temperature_c: float = 4.0,
        humidity_pct: float = 80.0,
        seed: int = 1,
    ) -> None:
        super().__init__(clock, address, temperature_c, humidity_pct, seed)
        self.always_busy = False
        self.calibrates = True
        self.answers_aht10 = True
        self._calibrated = False
        self._word = 0  # 20 bits of humidity, 20 of temperature
        self._next_word: int | None = None
        self._ready_s = 0.0

    def write(self, frame: bytes) -> None:
        self.acknowledge()
        if not frame or frame[0] == _STATUS:
            return
        if frame[0] == _RESET:
            self.power_glitch()
            self._calibrated = self.calibrates  # a soft reset loads it again (6.5)
        elif frame[0] == _TRIGGER:
            climate = self.sense()
            humidity = code(climate.humidity_pct, 0, 100, 2**20)
            temperature = code(climate.temperature_c, -50, 200, 2**20)
            self._next_word = min(humidity, 2**20 - 1) << 20 | min(temperature, 2**20 - 1)
            self._ready_s = self.clock.monotonic_s() + _CONVERSION_S
        elif frame[0] == _INITIALISE or (frame[0] == _INITIALISE_AHT10 and self.answers_aht10):
            self._calibrated = self.calibrates
        else:
            raise no_acknowledge()

    def read(self, count: int) -> bytes:
        self.acknowledge()
        busy = self.always_busy
        if self._next_word is not None:
            if self.clock.monotonic_s() < self._ready_s - 1e-9:
                busy = True
            else:
                self._word, self._next_word = self._next_word, None
        status = 0x10 | (_CALIBRATED if self._calibrated else 0) | (_BUSY if busy else 0)
        frame = bytes((status,)) + self._word.to_bytes(5, "big")
        return (frame + bytes((self.spoil(crc8(frame)),)))[:count].ljust(count, b"\xff")

    def power_glitch(self) -> None:
        self._calibrated, self._word, self._next_word = False, 0, None
