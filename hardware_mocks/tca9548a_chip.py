"""TI TCA9548A: one I2C bus to eight, by a control register with a bit for each."""

from collections.abc import Sequence

from hardware_mocks.i2c_bus import Chip, no_acknowledge


class Tca9548aChip:
    """Chips sit behind channels; several channels may be open at once, and none is after power-up."""

    def __init__(self, address: int = 0x70) -> None:
        self.address = address
        self.unplugged = False
        self.control = 0
        self._channels: list[dict[int, Chip]] = [{} for _ in range(8)]

    def attach(self, channel: int, chip: Chip) -> None:
        if chip.address in self._channels[channel]:
            raise ValueError(f"two chips at 0x{chip.address:02x} on channel {channel}")
        self._channels[channel][chip.address] = chip

    def behind(self, address: int) -> Sequence[Chip]:
        control = self.control
        if not control or self.unplugged:
            return ()
        return [
            chips[address]
            for channel, chips in enumerate(self._channels)
            if control >> channel & 1 and address in chips
        ]

    def write(self, frame: bytes) -> None:
        if self.unplugged:
            raise no_acknowledge()
        if frame:
            self.control = frame[-1]  # datasheet, 8.6.2: of several bytes the last counts

    def read(self, count: int) -> bytes:
        if self.unplugged:
            raise no_acknowledge()
        return bytes((self.control,)) * count

    def power_glitch(self) -> None:
        self.control = 0
