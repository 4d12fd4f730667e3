"""A door contact, wired in each of the four ways."""

import errno
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from edge_agent.domain.settings import SettingsError
from edge_agent.drivers import contact
from edge_agent.drivers.contact import Settings
from edge_agent.drivers.errors import NoAnswer
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.contact_switch import ContactSwitch

PIN = 23


class LineTaken(MockFactory):
    """Another process has the line until it lets go of it, as lgpio's "GPIO busy"."""

    taken = True

    def pin(self, name: Any, **arguments: Any) -> Any:
        if self.taken and not arguments:
            raise OSError(errno.EBUSY, "GPIO busy", f"GPIO{name}")
        return super().pin(name, **arguments)


def _bench(factory: MockFactory | None = None, **wiring: bool) -> tuple[BenchBoard, ContactSwitch, Any]:
    board = BenchBoard(SimulatedClock())
    board.pin_factory = factory or MockFactory()
    switch = ContactSwitch(board.pin_factory, PIN, **wiring)
    return board, switch, contact.open_sensor("cold-room-door", Settings(PIN, **wiring), board)


@pytest.mark.parametrize("normally_closed", [True, False])
@pytest.mark.parametrize("pull_up", [True, False])
def test_the_door_is_seen_opening_and_closing_however_it_is_wired(normally_closed: bool, pull_up: bool) -> None:
    board, switch, sensor = _bench(normally_closed=normally_closed, pull_up=pull_up)
    seen = []
    for move in (switch.close, switch.open, switch.open, switch.close):
        move()
        (reading,) = sensor.read(board.now())
        seen.append(reading.value)
    assert (sensor.bus, reading.channel.name) == ("gpio23", "cold-room-door/open")
    assert seen == [0.0, 1.0, 1.0, 0.0]


def test_a_cut_wire_of_a_closed_circuit_is_an_open_door() -> None:
    board, switch, sensor = _bench()
    switch.is_cut = True
    assert [reading.value for reading in sensor.read(board.now())] == [1.0]


def test_a_line_that_another_process_holds_is_a_fault_until_it_lets_go() -> None:
    factory = LineTaken()
    board, _, sensor = _bench(factory)
    for _ in range(2):
        with pytest.raises(NoAnswer, match=r"GPIO23.*GPIO busy"):
            sensor.read(board.now())
    factory.taken = False
    assert [reading.value for reading in sensor.read(board.now())] == [0.0]


def test_the_pin_is_not_touched_before_the_first_read() -> None:
    _, _, sensor = _bench(LineTaken())
    assert sensor.channels[0].unit == "1"


def test_two_switches_on_one_pin_are_refused() -> None:
    board, _, _ = _bench()
    with pytest.raises(ValueError, match="GPIO23 is in use already"):
        ContactSwitch(board.pin_factory, PIN)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"pin": 28}, "pin = 28: must be between 0 and 27"),
        ({"pin": 3, "pull_up": False}, "pull_up = False: must be true: GPIO3 has a pull-up"),
    ],
)
def test_a_wiring_that_cannot_be_is_a_fault_of_the_settings(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings(**arguments)
