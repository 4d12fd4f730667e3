"""DHT22 and DHT11 at pulse level: a start pulse in, forty bits of pulse lengths out."""

from collections import deque
from collections.abc import Callable, Sequence

from edge_agent.domain.instant import Clock
from hardware_mocks.climate_chip import ClimateChip

_START_US = {"dht22": 800, "dht11": 18_000}  # the shortest start pulse (AM2302 datasheet, 7.3; DHT11, section 5.2)
_CONVERSION_S = 2.0
_PRESENCE_US, _LOW_US, _ZERO_US, _ONE_US = 80, 50, 26, 70
_KEPT = 81  # pulses a PulseIn for a DHT is made for


class PulseLine:
    """A ``PulseIn`` whose other end answers the start pulse with pulses; it keeps the last 81, as Blinka's does."""

    def __init__(self, answer: Callable[[int], Sequence[int]]) -> None:
        self._answer = answer
        self._pulses: deque[int] = deque(maxlen=_KEPT)

    def pause(self) -> None: ...

    def resume(self, trigger_duration: int = 0) -> None:
        if trigger_duration:
            self._pulses.extend(self._answer(trigger_duration))

    def clear(self) -> None:
        self._pulses.clear()

    def popleft(self) -> int:
        return self._pulses.popleft()

    def __len__(self) -> int:
        return len(self._pulses)

    def __getitem__(self, index: int) -> int:
        return self._pulses[index]


class DhtChip(ClimateChip):
    """Wire it up by ``PulseLine(chip.answer)``. Converts every 2 s at most; asked sooner, it repeats itself.

    Faults, beside a climate chip's: ``bad_crc`` is a wrong checksum, a spike a wrong value with a good one,
    ``missing_pulses`` so many lost on the way, ``hang()`` silence until ``power_cycle()``.
    """

    def __init__(
        self,
        clock: Clock,
        model: str = "dht22",
        *,
        temperature_c: float = 4.0,
        humidity_pct: float = 80.0,
        seed: int = 1,
    ) -> None:
        super().__init__(clock, 0, temperature_c, humidity_pct, seed)  # no address: one chip, one line
        self.model = model
        self.missing_pulses = 0
        self._hung = False
        self._converted_s = float("-inf")
        self._frame = b""

    def hang(self) -> None:
        self._hung = True

    def power_cycle(self) -> None:
        self._hung = False
        self._converted_s = float("-inf")

    def answer(self, trigger_us: int) -> list[int]:
        """µs of low and high in turn, from the presence pulse to the end."""
        if self.unplugged or self._hung or trigger_us < _START_US[self.model]:
            return []
        now_s = self.clock.monotonic_s()
        if now_s - self._converted_s >= _CONVERSION_S:
            self._converted_s = now_s
            climate = self.sense()
            encode = dht22_frame if self.model == "dht22" else dht11_frame
            self._frame = encode(climate.temperature_c, climate.humidity_pct)
        pulses = pulse_train(self._frame[:4] + bytes((self.spoil(self._frame[4]),)))
        for _ in range(self.missing_pulses):
            del pulses[self._random.randrange(len(pulses))]
        return pulses


def pulse_train(frame: bytes) -> list[int]:
    """
    >>> pulse_train(b"")
    [80, 80, 50]
    """
    pulses = [_PRESENCE_US, _PRESENCE_US]
    for byte in frame:
        for bit in range(7, -1, -1):
            pulses += (_LOW_US, _ONE_US if byte >> bit & 1 else _ZERO_US)
    pulses.append(_LOW_US)
    return pulses


def dht22_frame(temperature_c: float, humidity_pct: float) -> bytes:
    """Tenths; below zero the sign is the highest bit (AM2302 datasheet, 7.2).

    >>> dht22_frame(35.1, 65.2).hex(), dht22_frame(-10.1, 65.2).hex()
    ('028c015fee', '028c806573')
    """
    humidity = min(1000, max(0, round(humidity_pct * 10)))
    temperature = min(0x7FFF, abs(round(temperature_c * 10)))
    if temperature_c < 0:
        temperature |= 0x8000
    return _with_checksum(humidity.to_bytes(2, "big") + temperature.to_bytes(2, "big"))


def dht11_frame(temperature_c: float, humidity_pct: float) -> bytes:
    """Whole units, and nothing outside the chip's range.

    >>> dht11_frame(23.4, 41.6).hex()
    '2a00170041'
    """
    return _with_checksum(bytes((min(90, max(20, round(humidity_pct))), 0, min(50, max(0, round(temperature_c))), 0)))


def _with_checksum(values: bytes) -> bytes:
    return values + bytes((sum(values) & 0xFF,))
