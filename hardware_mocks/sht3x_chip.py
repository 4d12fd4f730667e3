"""Sensirion SHT3x at the level of its I2C frames (datasheet version 6, chapter 4)."""

from edge_agent.domain.instant import Clock
from edge_agent.drivers.i2c import crc8
from hardware_mocks.climate_chip import ClimateChip, code
from hardware_mocks.i2c_bus import no_acknowledge

# Command: (longest conversion in s, stretches the clock), tables 4 and 8.
_SINGLE_SHOTS = {
    0x2400: (0.015, False),
    0x240B: (0.006, False),
    0x2416: (0.004, False),
    0x2C06: (0.015, True),
    0x2C0D: (0.006, True),
    0x2C10: (0.004, True),
}
_BREAK, _RESET, _STATUS, _CLEAR_STATUS, _HEATER_ON, _HEATER_OFF = 0x3093, 0x30A2, 0xF32D, 0x3041, 0x306D, 0x3066


class Sht3xChip(ClimateChip):
    """Single-shot conversions; a read before the conversion has ended, or a second one, is not acknowledged."""

    def __init__(
        self,
        clock: Clock,
        *,
        address: int = 0x44,
        temperature_c: float = 4.0,
        humidity_pct: float = 80.0,
        seed: int = 1,
    ) -> None:
        super().__init__(clock, address, temperature_c, humidity_pct, seed)
        self.status = 0x8010  # alert pending and reset detected: as after power-up (table 18)
        self.stretched = 0  # reads that held the clock line low
        self._answer = b""
        self._ready_s = 0.0
        self._stretches = False

    def write(self, frame: bytes) -> None:
        self.acknowledge()
        if not frame:
            return
        command = int.from_bytes(frame, "big")
        shot = _SINGLE_SHOTS.get(command)
        if shot is not None:
            conversion_s, self._stretches = shot
            self._ready_s = self.clock.monotonic_s() + conversion_s
            self._answer = self._convert()
        else:
            self._obey(command)

    def read(self, count: int) -> bytes:
        self.acknowledge()
        if not self._answer:
            raise no_acknowledge()
        missing_s = self._ready_s - self.clock.monotonic_s()
        if missing_s > 1e-9:
            if not self._stretches:
                raise no_acknowledge()
            self.stretched += 1
            self.clock.sleep(missing_s)
        answer, self._answer = self._answer, b""
        return answer[:count].ljust(count, b"\xff")

    def power_glitch(self) -> None:
        self.status, self._answer = 0x8010, b""

    def _convert(self) -> bytes:
        climate = self.sense()
        temperature = code(climate.temperature_c, -45, 175, 65535).to_bytes(2, "big")
        humidity = code(climate.humidity_pct, 0, 100, 65535).to_bytes(2, "big")
        return self._word(temperature) + self._word(humidity)

    def _word(self, word: bytes) -> bytes:
        return word + bytes((self.spoil(crc8(word)),))

    def _obey(self, command: int) -> None:
        self._answer, self._ready_s = b"", 0.0
        if command == _STATUS:
            self._answer = self._word(self.status.to_bytes(2, "big"))
        elif command == _RESET:
            self.status = 0x0010
        elif command == _CLEAR_STATUS:
            self.status = 0
        elif command == _HEATER_ON:
            self.status |= 0x2000
        elif command == _HEATER_OFF:
            self.status &= ~0x2000
        elif command != _BREAK:
            raise no_acknowledge()
