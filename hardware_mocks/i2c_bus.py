"""An I2C bus made of chips: ``busio.I2C``-like, so that the vendors' libraries run on it unchanged."""

import errno
import threading
from collections.abc import Sequence
from random import Random
from typing import Protocol, runtime_checkable

from edge_agent.domain.instant import Clock
from hardware_mocks.clock import SimulatedClock

KERNEL_TIMEOUT_S = 1.0  # i2c-bcm2835 gives a transfer one second


def no_acknowledge() -> OSError:
    """What Linux says when no chip pulls the line down for its address."""
    return OSError(errno.EREMOTEIO, "Remote I/O error")


def timed_out() -> OSError:
    return OSError(errno.ETIMEDOUT, "Connection timed out")


class Chip(Protocol):
    """A device at an address; ``write`` and ``read`` raise ``no_acknowledge()`` as the chip would refuse."""

    address: int

    def write(self, frame: bytes) -> None:
        """An empty frame is a probe."""

    def read(self, count: int) -> bytes: ...


@runtime_checkable
class Mux(Chip, Protocol):
    def behind(self, address: int) -> Sequence[Chip]:
        """The chips of that address on the channels that are open now."""


class SimulatedI2C:
    """Chips by address, multiplexers, and what can happen to the wires.

    ``stuck``: a chip holds SDA low and every transfer ends in ETIMEDOUT. ``hang``: a transfer does not return.
    ``flip_probability``: of a byte read arriving with one bit wrong.
    """

    def __init__(self, clock: Clock, *chips: Chip, seed: int = 1) -> None:
        self.clock = clock
        self.stuck = False
        self.flip_probability = 0.0
        self.transfers = 0
        self.hung = threading.Event()  # set while a transfer hangs: what a test waits for
        self._chips: dict[int, Chip] = {}
        self._muxes: list[Mux] = []
        self._hang: tuple[threading.Event, int | None, float | None] | None = None
        self._random = Random(seed)
        self._locked = False
        for chip in chips:
            self.attach(chip)

    def attach(self, chip: Chip) -> None:
        if chip.address in self._chips:
            raise ValueError(f"two chips at 0x{chip.address:02x} on one bus")
        self._chips[chip.address] = chip
        if isinstance(chip, Mux):
            self._muxes.append(chip)

    def detach(self, address: int) -> None:
        chip = self._chips.pop(address)
        self._muxes = [mux for mux in self._muxes if mux is not chip]

    def hang(self, address: int | None = None, *, kernel_timeout_s: float | None = None) -> None:
        """From now on transfers (to ``address``, or all) block until ``release``, or end in ETIMEDOUT.

        With a stepped clock give ``kernel_timeout_s``: it passes on that clock. Without it the calling thread blocks.
        """
        self._hang = (threading.Event(), address, kernel_timeout_s)

    def release(self) -> None:
        """The transfers that hang go on as if nothing had been."""
        if self._hang is not None:
            event, self._hang = self._hang[0], None
            event.set()

    def try_lock(self) -> bool:
        """As Blinka's: no lock for threads, which is why boards wrap their buses in SharedI2C."""
        if self._locked:
            return False
        self._locked = True
        return True

    def unlock(self) -> None:
        self._locked = False

    def scan(self) -> list[int]:
        return [address for address in range(0x08, 0x78) if self._acknowledges(address)]

    def writeto(self, address: int, buffer: bytes, *, start: int = 0, end: int | None = None) -> None:
        frame = bytes(buffer[start:end])
        for chip in self._answering(address):
            chip.write(frame)

    def readfrom_into(self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None) -> None:
        end = len(buffer) if end is None else end
        buffer[start:end] = self._read(self._answering(address), end - start)

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytes,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        chips = self._answering(address)
        frame = bytes(out_buffer[out_start:out_end])
        for chip in chips:
            chip.write(frame)
        in_end = len(in_buffer) if in_end is None else in_end
        in_buffer[in_start:in_end] = self._read(chips, in_end - in_start)

    def _read(self, chips: Sequence[Chip], count: int) -> bytes:
        frame = chips[0].read(count)
        for other in chips[1:]:  # two chips at one address: whoever pulls the line down wins
            frame = bytes(a & b for a, b in zip(frame, other.read(count), strict=True))
        return self._flipped(frame) if self.flip_probability else frame

    def _flipped(self, frame: bytes) -> bytes:
        chance, random = self.flip_probability, self._random
        return bytes(byte ^ 1 << random.randrange(8) if random.random() < chance else byte for byte in frame)

    def _answering(self, address: int) -> Sequence[Chip]:
        self.transfers += 1
        if self.stuck:
            self.clock.sleep(KERNEL_TIMEOUT_S)
            raise timed_out()
        if self._hang is not None:
            self._suffer_hang(address)
        chip = self._chips.get(address)
        if not self._muxes:
            if chip is None:
                raise no_acknowledge()
            return (chip,)
        found = [other for mux in self._muxes for other in mux.behind(address)]
        if chip is not None:
            found.append(chip)
        if not found:
            raise no_acknowledge()
        return found

    def _suffer_hang(self, address: int) -> None:
        hang = self._hang
        if hang is None or hang[1] not in (None, address):
            return
        event, _, kernel_timeout_s = hang
        if kernel_timeout_s is not None and isinstance(self.clock, SimulatedClock):
            self.clock.sleep(kernel_timeout_s)
            raise timed_out()
        self.hung.set()
        released = event.wait(kernel_timeout_s)
        self.hung.clear()
        if not released:
            raise timed_out()

    def _acknowledges(self, address: int) -> bool:
        try:
            self.writeto(address, b"")
        except OSError:
            return False
        return True
