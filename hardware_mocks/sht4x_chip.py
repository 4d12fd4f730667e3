"""Sensirion SHT4x at the level of its I2C frames (datasheet version 6, chapter 4)."""

from edge_agent.domain.instant import Clock
from edge_agent.drivers.i2c import crc8
from hardware_mocks.climate_chip import ClimateChip, code
from hardware_mocks.i2c_bus import no_acknowledge

_CONVERSIONS_S = {0xFD: 0.0083, 0xF6: 0.0045, 0xE0: 0.0016}  # longest, table 4
_RESET, _SERIAL = 0x94, 0x89


class Sht4xChip(ClimateChip):
    """A read before the conversion has ended, or a second one, is not acknowledged."""

    def __init__(
        self,
        clock: Clock,
        *,
        address: int = 0x44,
        temperature_c: float = 4.0,
        humidity_pct: float = 80.0,
        serial: int = 0x1234_5678,
        seed: int = 1,
    ) -> None:
        super().__init__(clock, address, temperature_c, humidity_pct, seed)
        self.serial = serial
        self._answer = b""
        self._ready_s = 0.0

    def write(self, frame: bytes) -> None:
        self.acknowledge()
        if not frame:
            return
        command = frame[0]
        if command in _CONVERSIONS_S:
            climate = self.sense()
            self._reply(
                code(climate.temperature_c, -45, 175, 65535),
                code(climate.humidity_pct, -6, 125, 65535),
                _CONVERSIONS_S[command],
            )
        elif command == _SERIAL:
            self._reply(self.serial >> 16, self.serial & 0xFFFF, 0.0)
        elif command == _RESET:
            self._answer = b""
        else:
            raise no_acknowledge()

    def read(self, count: int) -> bytes:
        self.acknowledge()
        if not self._answer or self.clock.monotonic_s() < self._ready_s - 1e-9:
            raise no_acknowledge()
        answer, self._answer = self._answer, b""
        return answer[:count].ljust(count, b"\xff")

    def _reply(self, first: int, second: int, after_s: float) -> None:
        self._ready_s = self.clock.monotonic_s() + after_s
        words = first.to_bytes(2, "big"), second.to_bytes(2, "big")
        self._answer = b"".join(word + bytes((self.spoil(crc8(word)),)) for word in words)
