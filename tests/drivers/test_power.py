"""The firmware's flags: what is now, not what once was."""

import pytest

from edge_agent.drivers import power
from edge_agent.drivers.errors import NoAnswer
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.firmware import Firmware


class PoweredBoard(BenchBoard):
    def __init__(self) -> None:
        super().__init__(SimulatedClock())
        self.firmware = Firmware()

    def power_flags(self) -> int:
        return self.firmware.power_flags()


def _read(flags: int) -> list[float | None]:
    board = BenchBoard(SimulatedClock())
    board.flags = flags
    return [reading.value for reading in power.open_sensor("node", power.Settings(), board).read(board.now())]


CASES = [
    (0x0, [0.0, 0.0]),
    (0x1, [1.0, 0.0]),
    (0x2, [0.0, 0.0]),  # capped
    (0x4, [0.0, 1.0]),
    (0x5, [1.0, 1.0]),
    (0x8, [0.0, 0.0]),  # soft temperature limit
    (0xF0000, [0.0, 0.0]),  # all of it, some time since the boot
    (0x50005, [1.0, 1.0]),
]


@pytest.mark.parametrize(("flags", "values"), CASES)
def test_the_bits_for_now_are_the_readings(flags: int, values: list[float]) -> None:
    assert _read(flags) == values


def test_an_under_voltage_ends_when_it_is_over() -> None:
    board = PoweredBoard()
    sensor = power.open_sensor("node", power.Settings(), board)
    seen = []
    for under_voltage in (False, True, False):
        board.firmware.under_voltage = under_voltage
        seen.append([reading.value for reading in sensor.read(board.now())])
    assert seen == [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]


def test_without_the_firmware_there_is_no_answer_until_it_comes() -> None:
    board = PoweredBoard()
    board.firmware.absent = True
    sensor = power.open_sensor("node", power.Settings(), board)
    assert sensor.bus == "board"
    with pytest.raises(NoAnswer, match="get_throttled"):
        sensor.read(board.now())
    board.firmware.absent = False
    board.firmware.throttled = True
    assert [reading.channel.name for reading in sensor.read(board.now()) if reading.value] == ["node/throttled"]
