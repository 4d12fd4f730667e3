"""What an onlooker can say of a pin, and what happens to a clock with appointments."""

import pytest
from gpiozero import LED, Button, Buzzer, TonalBuzzer
from gpiozero.tones import Tone

from edge_agent.config import Settings, check
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.simulated_board import open_board
from hardware_mocks.watched_pins import Onlooker, WatchedFactory
from hardware_mocks.wired_pin import wire


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def pins(clock):
    factory = WatchedFactory(clock)
    yield factory
    factory.reset()


@pytest.fixture
def onlooker(pins):
    return Onlooker(pins)


def test_a_light_is_seen_flashing_at_its_rate(clock, pins, onlooker):
    with LED(5, pin_factory=pins) as led:
        assert onlooker.flashes_hz(5, 0.0) is None
        for _ in range(5):
            led.on()
            clock.sleep(0.1)
            led.off()
            clock.sleep(0.4)
    assert onlooker.flashes_hz(5, 0.0) == pytest.approx(2.0)
    assert onlooker.flashes_hz(5, 2.0) is None


def test_what_was_seen_outlives_the_closing_of_the_pin(clock, pins, onlooker):
    led = LED(5, pin_factory=pins)
    led.on()
    clock.sleep(1)
    led.close()
    pins.close()
    assert [(change.at_s, change.level) for change in onlooker.changes(5)] == [(0.0, 1.0), (1.0, 0.0)]
    assert not onlooker.is_on(5), "a closed pin drives nothing"


def test_pulses_are_heard_in_bursts(clock, pins, onlooker):
    with Buzzer(5, pin_factory=pins) as buzzer:
        for pulses in (3, 1):
            for _ in range(pulses):
                buzzer.on()
                clock.sleep(0.2)
                buzzer.off()
                clock.sleep(0.2)
            clock.sleep(5)
        buzzer.on()
        assert [len(burst) for burst in onlooker.bursts(5)] == [3, 1], "one that still sounds is not over"


def test_a_tone_is_heard_too(clock, pins, onlooker):
    with TonalBuzzer(5, pin_factory=pins) as buzzer:
        buzzer.play(Tone("A4"))
        assert onlooker.is_on(5)
        clock.sleep(0.2)
        buzzer.stop()
    assert [len(burst) for burst in onlooker.bursts(5)] == [1]


def test_a_button_is_pressed_also_before_anybody_listens(pins, onlooker):
    onlooker.press(5)
    with Button(5, pin_factory=pins) as button:
        assert button.is_pressed
        onlooker.let_go(5)
        assert not button.is_pressed
        onlooker.press(5)
        assert button.is_pressed


def test_a_pin_that_a_chip_is_wired_to_stays_the_chips(pins):
    wired = wire(pins, 5)
    assert pins.pin(5) is wired


def test_a_clock_keeps_its_appointments_in_the_midst_of_a_sleep(clock):
    kept: list[float] = []
    for at_s in (7.0, 3.0, 3.0, 12.0):
        clock.call_at(at_s, lambda: kept.append(clock.monotonic_s()))
    clock.sleep(10)
    assert kept == [3.0, 3.0, 7.0]
    assert clock.monotonic_s() == 10.0
    clock.call_at(1.0, lambda: kept.append(clock.monotonic_s()))  # too late: at the next occasion
    clock.sleep(5)
    assert kept == [3.0, 3.0, 7.0, 10.0, 12.0]


CONFIG = """
[node]
site = "elm-street"
name = "a1"
[board]
kind = "simulated"
speed = 0.0
[[board.push]]
pin = 25
at_s = 30.0
for_s = 2.5
[[sensor]]
name = "cellar"
driver = "sht3x"
"""


def test_a_press_in_the_configuration_is_made_at_its_time():
    settings = check(CONFIG, "test")
    assert isinstance(settings, Settings), settings
    board = open_board(settings.board.settings, settings.sensors)
    with Button(25, pin_factory=board.pin_factory) as button:
        moves: list[tuple[float, str]] = []
        button.when_pressed = lambda: moves.append((board.clock.monotonic_s(), "down"))
        button.when_released = lambda: moves.append((board.clock.monotonic_s(), "up"))
        board.clock.sleep(60)
    board.close()
    assert moves == [(30.0, "down"), (32.5, "up")]


def test_a_press_that_takes_no_time_is_refused():
    found = check(CONFIG.replace("for_s = 2.5", "for_s = 0.0"), "test")
    assert [fault.key for fault in found] == ["board.push[1].for_s"]
