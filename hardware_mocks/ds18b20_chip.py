"""DS18B20 as the kernel's w1_therm shows it: a folder with the file w1_slave."""

import os
import shutil
from pathlib import Path

_POWER_ON = 85 * 16  # in the datasheet's sixteenths of a degree
_LOW, _HIGH = -55 * 16, 125 * 16


class Ds18b20Chip:
    """Set ``temperature_c``; the file changes only when the chip's 1/16 °C does.

    Faults: ``unplugged`` (the folder goes), ``silent`` (the folder stays, the file is empty), ``bad_crc``,
    ``power_glitch()`` (85 °C until the next temperature is set). Other than the kernel's, the file is read without
    the 750 ms of a conversion.
    """

    def __init__(self, directory: Path, device_id: str, temperature_c: float = 20.0) -> None:
        self._folder = directory / device_id
        self._file = str(self._folder / "w1_slave")
        self._length = 0  # of the file as it is
        self._unplugged = False
        self._silent = False
        self._bad_crc = False
        self._sixteenths = _sixteenths(temperature_c)
        self._connect()

    @property
    def temperature_c(self) -> float:
        return self._sixteenths / 16

    @temperature_c.setter
    def temperature_c(self, temperature_c: float) -> None:
        self._become(_sixteenths(temperature_c))

    @property
    def unplugged(self) -> bool:
        return self._unplugged

    @unplugged.setter
    def unplugged(self, unplugged: bool) -> None:
        self._unplugged = unplugged
        if unplugged:
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            self._connect()

    @property
    def silent(self) -> bool:
        return self._silent

    @silent.setter
    def silent(self, silent: bool) -> None:
        self._silent = silent
        self._write()

    @property
    def bad_crc(self) -> bool:
        return self._bad_crc

    @bad_crc.setter
    def bad_crc(self, bad_crc: bool) -> None:
        self._bad_crc = bad_crc
        self._write()

    def power_glitch(self) -> None:
        self._become(_POWER_ON)

    def _become(self, sixteenths: int) -> None:
        if sixteenths != self._sixteenths:
            self._sixteenths = sixteenths
            self._write()

    def _connect(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write()

    def _write(self) -> None:
        """In place: a rename would take twenty times as long, and a replayed trace changes the file at every row.

        Whatever is left of a longer content is blank at every moment, so another thread's driver reads on.
        """
        if self._unplugged:
            return
        content = b"" if self._silent else w1_slave(self._sixteenths, bad_crc=self._bad_crc)
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, content.ljust(self._length, b"\n"), 0)
            if len(content) < self._length:
                os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)
        self._length = len(content)


def _sixteenths(temperature_c: float) -> int:
    """12 bits of resolution; at the ends of its range the chip stops.

    >>> _sixteenths(25.0625), _sixteenths(-300.0)
    (401, -880)
    """
    return min(_HIGH, max(_LOW, round(temperature_c * 16)))


def w1_slave(sixteenths: int, *, bad_crc: bool = False) -> bytes:
    """The file for a scratchpad (datasheet, figure 8) with that temperature.

    >>> print(w1_slave(0x0550).decode(), end="")
    50 05 4b 46 7f ff 0c 10 1c : crc=1c YES
    50 05 4b 46 7f ff 0c 10 1c t=85000
    """
    scratchpad = sixteenths.to_bytes(2, "little", signed=True) + b"\x4b\x46\x7f\xff\x0c\x10"
    computed = crc8_maxim(scratchpad)
    sent = computed ^ 0x55 if bad_crc else computed
    shown = f"{scratchpad.hex(' ')} {sent:02x}"
    milli_c = int(sixteenths * 62.5)  # towards zero, as the kernel's integers
    return f"{shown} : crc={computed:02x} {'NO' if bad_crc else 'YES'}\n{shown} t={milli_c}\n".encode()


def crc8_maxim(frame: bytes) -> int:
    """Polynomial 0x31 reflected, initial value 0 (datasheet, "CRC generation").

    >>> hex(crc8_maxim(bytes.fromhex("50054b467fff0c10")))
    '0x1c'
    """
    crc = 0
    for byte in frame:
        crc = _CRC8[crc ^ byte]
    return crc


def _shifted(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0x8C if byte & 1 else byte >> 1
    return byte


_CRC8 = bytes(_shifted(byte) for byte in range(256))
