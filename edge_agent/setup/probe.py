"""Which chips answer on an I2C bus, told by what they say and not by their address alone.

Safe for chips that nobody knows: an address is read, never written, unless one of our chips can be strapped to it; and
what is written there is a register's number or a command that only reads. Multiplexers are switched, one channel at a
time, and left as they were found.
"""

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.domain.instant import Clock
from edge_agent.drivers.i2c import MUX_ADDRESSES, SharedI2C, crc8
from edge_agent.drivers.seam import I2C, Board

ADDRESSES = range(0x08, 0x78)  # the others are reserved (UM10204, table 4)
HOLD_S = 30.0
MOST_TIMEOUTS = 2  # then the bus is held, and every further address would cost as much
CHANNELS = range(8)
# What people meet there and no driver of ours reads; (first, last): words.
OTHERS: Mapping[tuple[int, int], str] = {
    (0x20, 0x27): "a port expander or a text display (PCF8574, MCP23017)",
    (0x23, 0x23): "a light sensor (BH1750), or a port expander",
    (0x29, 0x29): "a distance or light sensor (VL53L0X, TSL2591)",
    (0x3C, 0x3D): "a display (SSD1306)",
    (0x40, 0x43): "a current meter or an older humidity sensor (INA219, HTU21)",
    (0x48, 0x4B): "an ADC or a thermometer (ADS1115, TMP102)",
    (0x50, 0x57): "an EEPROM, or the one on a clock module",
    (0x68, 0x68): "a clock module (DS3231)",
    (0x76, 0x77): "a pressure sensor of another make",
}
_BOSCH_IDS = {0x55: "BMP180", 0x56: "BMP280", 0x57: "BMP280", 0x58: "BMP280", 0x61: "BME680", 0x50: "BMP388"}


class BusSilent(Exception):
    """The bus cannot be asked: why, and what to do."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something answers."""

    bus: str
    address: int
    mux_address: int | None = None
    mux_channel: int | None = None

    @property
    def words(self) -> str:
        """
        >>> Spot("i2c-1", 0x2A, 0x70, 3).words
        'i2c-1, behind 0x70 channel 3, 0x2a'
        """
        behind = "" if self.mux_address is None else f" behind 0x{self.mux_address:02x} channel {self.mux_channel},"
        return f"{self.bus},{behind} 0x{self.address:02x}"

    @property
    def key(self) -> str:
        """As an answers file names it.

        >>> Spot("i2c-1", 0x2A, 0x70, 3).key, Spot("i2c-1", 0x44).key
        ('i2c-1 0x70.3 0x2a', 'i2c-1 0x44')
        """
        behind = "" if self.mux_address is None else f" 0x{self.mux_address:02x}.{self.mux_channel}"
        return f"{self.bus}{behind} 0x{self.address:02x}"


@dataclass(frozen=True, slots=True)
class Found:
    spot: Spot
    driver: str | None  # None: no driver of ours reads it
    words: str  # what it is, and how that is known
    is_sure: bool = True  # False: the chip has no number of its own that could be read, and a person must say


@dataclass(frozen=True, slots=True)
class Seen:
    """What an address says of itself."""

    driver: str | None
    words: str
    is_sure: bool = True


def scan(board: Board, name: str) -> list[Found]:
    """Everything that answers on this bus and behind its multiplexers. Raises BusSilent, OSError, BoardError."""
    bus, clock = board.i2c(name), board.clock
    if not isinstance(bus, SharedI2C):
        raise TypeError(f"the board gave {name} as {type(bus).__name__}: boards share a bus by SharedI2C")
    try:
        bus.hold("setup", HOLD_S, clock.monotonic_s)
    except TimeoutError as error:
        raise BusSilent(f"{bus.name} is in use: {error}") from error
    try:
        return list(_scan(_Patient(bus, bus.name), bus.name, clock))
    finally:
        bus.let_go()


def _scan(i2c: "_Patient", name: str, clock: Clock) -> Iterator[Found]:
    muxes = {address: i2c.byte(address) for address in MUX_ADDRESSES if _is_mux(i2c, address)}
    try:
        for mux in muxes:
            i2c.put(mux, b"\x00")
        trunk = {a: seen for a in ADDRESSES if a not in muxes and (seen := identified(i2c, a, clock)) is not None}
        for address, seen in trunk.items():
            yield Found(Spot(name, address), seen.driver, seen.words, seen.is_sure)
        for mux in muxes:
            yield Found(Spot(name, mux), None, "a multiplexer (TCA9548A)")
            yield from _behind(i2c, name, mux, {*trunk, *muxes}, clock)
    finally:
        for mux, before in muxes.items():
            i2c.put(mux, before or b"\x00")


def _behind(i2c: "_Patient", name: str, mux: int, taken: set[int], clock: Clock) -> Iterator[Found]:
    """A chip on the bus itself answers through every channel: what it hides cannot be seen."""
    for channel in CHANNELS:
        i2c.put(mux, bytes((1 << channel,)))
        for address in ADDRESSES:
            seen = None if address in taken else identified(i2c, address, clock)
            if seen is not None:
                yield Found(Spot(name, address, mux, channel), seen.driver, seen.words, seen.is_sure)
    i2c.put(mux, b"\x00")


def identified(i2c: "_Patient", address: int, clock: Clock) -> Seen | None:
    """What is there; None when nothing answers."""
    for known in _KNOWN.get(address, ()):
        seen = known(i2c, address, clock)
        if seen is not None:
            return seen
    return _unknown(i2c, address)


def _unknown(i2c: "_Patient", address: int) -> Seen | None:
    if i2c.byte(address) is None:
        return Seen(None, "in use by a driver of the kernel") if address in i2c.busy else None
    guess = next((words for (first, last), words in OTHERS.items() if first <= address <= last), None)
    return Seen(None, "a chip without a driver here" + (f": perhaps {guess}" if guess else ""))


def _nau7802(i2c: "_Patient", address: int, clock: Clock) -> Seen | None:
    """Its revision code (datasheet, 11.16)."""
    revision = i2c.register(address, 0x1F, 1)
    return Seen("nau7802", "NAU7802, for load cells") if revision is not None and revision[0] & 0x0F == 0x0F else None


def _sht4x(i2c: "_Patient", address: int, clock: Clock) -> Seen | None:
    """Its serial number, two words with checksums (datasheet, 4.9). To others the byte is a register's number."""
    answer = i2c.command(address, b"\x89", 6, 0.010, clock)
    if answer is None or not (_is_checked(answer[:3]) and _is_checked(answer[3:])):
        return None
    return Seen("sht4x", f"SHT4x, serial number {answer[0:2].hex()}{answer[3:5].hex()}")


def _sht3x(i2c: "_Patient", address: int, clock: Clock) -> Seen | None:
    """Its status word with a checksum (datasheet, 4.11)."""
    answer = i2c.command(address, b"\xf3\x2d", 3, 0.001, clock)
    return Seen("sht3x", "SHT3x") if answer is not None and _is_checked(answer) else None


def _aht20(i2c: "_Patient", address: int, clock: Clock) -> Seen | None:
    """It has no number of its own: its status byte and the checksum of its last conversion must do (datasheet, 5.4).

    No conversion is asked for: a port expander at this address would switch its outputs.
    """
    frame = i2c.read(address, 7)
    if frame is None or len(set(frame)) == 1 or frame[0] & 0x60:
        return None
    return Seen("aht20", "AHT20", is_sure=crc8(frame[:6]) == frame[6])


def _bme280(i2c: "_Patient", address: int, clock: Clock) -> Seen | None:
    return _bosch(i2c, address)


def _bosch(i2c: "_Patient", address: int) -> Seen | None:
    """Its chip id (BME280 datasheet, 5.4.1)."""
    answer = i2c.register(address, 0xD0, 1)
    if answer is None:
        return None
    if answer[0] == 0x60:
        return Seen("bme280", "BME280")
    other = _BOSCH_IDS.get(answer[0])
    return None if other is None else Seen(None, f"{other}: it has no driver here; a BME280 has")


def _is_mux(i2c: "_Patient", address: int) -> bool:
    """One register, that gives back what was written (TCA9548A datasheet, 8.6.2).

    To the others that sit there (HT16K33, PCA9685, SHTC3, Bosch's and MEAS's pressure sensors) these two bytes are the
    number of a register, or nothing.
    """
    before = i2c.read(address, 2)
    if before is None or before[0] != before[1]:
        return False
    if address in _KNOWN and _bosch(i2c, address) is not None:
        return False
    gives_back = all(i2c.put(address, mask) and i2c.byte(address) == mask for mask in (b"\x01", b"\x02"))
    i2c.put(address, before[:1])
    return gives_back


_Known = Callable[["_Patient", int, Clock], Seen | None]
_KNOWN: Mapping[int, Sequence[_Known]] = {
    0x2A: (_nau7802,),
    0x38: (_aht20,),
    0x44: (_sht4x, _sht3x),
    0x45: (_sht4x, _sht3x),
    0x46: (_sht4x,),
    0x76: (_bme280,),
    0x77: (_bme280,),
}


def _is_checked(word: bytes) -> bool:
    return crc8(word[:2]) == word[2]


class _Patient:
    """A bus on which no answer is an answer, and a held wire is the end."""

    def __init__(self, i2c: I2C, name: str) -> None:
        self._i2c, self._name = i2c, name
        self._timeouts = 0
        self.busy: set[int] = set()  # addresses that the kernel keeps for a driver of its own

    def byte(self, address: int) -> bytes | None:
        return self.read(address, 1)

    def read(self, address: int, count: int) -> bytes | None:
        buffer = bytearray(count)
        return bytes(buffer) if self._try(address, lambda: self._i2c.readfrom_into(address, buffer)) else None

    def put(self, address: int, frame: bytes) -> bool:
        return self._try(address, lambda: self._i2c.writeto(address, frame))

    def register(self, address: int, number: int, count: int) -> bytes | None:
        buffer, ask = bytearray(count), bytes((number,))
        done = self._try(address, lambda: self._i2c.writeto_then_readfrom(address, ask, buffer))
        return bytes(buffer) if done else None

    def command(self, address: int, frame: bytes, count: int, wait_s: float, clock: Clock) -> bytes | None:
        if not self.put(address, frame):
            return None
        clock.sleep(wait_s)
        return self.read(address, count)

    def _try(self, address: int, transfer: Callable[[], None]) -> bool:
        try:
            transfer()
        except TimeoutError as error:
            self._timeouts += 1
            if self._timeouts >= MOST_TIMEOUTS:
                raise BusSilent(
                    f"{self._name} is held: a chip or a short keeps a wire low, and no transfer ends. "
                    "Unplug the chips one after another until it answers; then switch the power off and on"
                ) from error
            return False
        except OSError as error:
            if error.errno == errno.EBUSY:
                self.busy.add(address)
            return False
        return True
