"""The panel on watched pins: what a person before it sees, hears and presses."""

import subprocess
import sys
import threading
from itertools import pairwise

import pytest
from gpiozero import LED

from edge_agent.alerts.button import Act, act_of
from edge_agent.config.settings import PanelSettings
from edge_agent.domain.annunciation import Annunciation, Colour, Light
from edge_agent.domain.instant import Instant
from edge_agent.drivers.errors import BoardError
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.panel import Panel, PanelThread, open_panel
from edge_agent.service.panel_devices import Devices
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.watched_pins import Onlooker, WatchedFactory

LAMP, RED, GREEN, BLUE, BUZZER, BUTTON, OWN = 23, 16, 20, 21, 18, 25, 24
PLAIN = PanelSettings(led_pin=LAMP, buzzer_pin=BUZZER, button_pin=BUTTON)
COLOURED = PanelSettings(red_pin=RED, green_pin=GREEN, blue_pin=BLUE)
HIGH = Annunciation(Light.FLASHING, Colour.RED, 5, 10.0)
SEEN = Annunciation(Light.STEADY, Colour.RED)
ALIVE = Annunciation(Light.BLIP, Colour.GREEN)
DEADLINE_S = 10.0


class Stand:
    """A panel on the bench, played on a simulated clock."""

    def __init__(self, settings: PanelSettings, node: str = "a12", stuck_after_s: float = float("inf")) -> None:
        self.clock = SimulatedClock()
        self.pins = WatchedFactory(self.clock)
        self.onlooker = Onlooker(self.pins)
        self.board = BenchBoard(self.clock)
        self.board.pin_factory = self.pins
        self.now = ClockWatch(self.clock).now
        self.stuck_after_s = stuck_after_s
        self.panel = open_panel(settings, node, self.board, self.now)

    def wait(self, seconds: float) -> float:
        """Play for so long, and answer when that began."""
        began_s = self.clock.monotonic_s()
        while (now := self.now()).mono_ms < round(1000 * (began_s + seconds)):
            next_ms = self.panel.play(now, self.stuck_after_s)
            until_s = began_s + seconds if next_ms is None else min(began_s + seconds, next_ms / 1000)
            self.clock.advance_to(max(until_s, now.mono_ms / 1000 + 0.001))
        self.panel.play(self.now(), self.stuck_after_s)
        return began_s

    def show(self, told: Annunciation) -> None:
        self.panel.show(told)
        self.panel.play(self.now(), self.stuck_after_s)

    def press(self, seconds: float) -> None:
        self.onlooker.press(BUTTON)
        self.wait(seconds)
        self.onlooker.let_go(BUTTON)
        self.panel.play(self.now(), self.stuck_after_s)

    def acts(self) -> list[Act]:
        return [act_of(press) for press in self.panel.take_presses()]

    def is_lit(self) -> bool:
        return self.onlooker.is_on(LAMP)


@pytest.fixture
def make_stand():
    made: list[Stand] = []

    def make(*args, **kwargs) -> Stand:
        made.append(Stand(*args, **kwargs))
        return made[-1]

    yield make
    for stand in made:
        stand.panel.close()
        stand.pins.reset()


# --- light and sound ------------------------------------------------------------------------------------------------


def test_without_pins_there_is_no_panel(make_stand):
    stand = make_stand(PanelSettings())
    assert not stand.panel.is_there
    assert not stand.panel.identify(5)
    stand.panel.show(HIGH)
    assert stand.panel.play(stand.now()) is None


def test_it_is_dark_and_silent_until_it_is_told_something(make_stand):
    stand = make_stand(PLAIN)
    stand.wait(60)
    assert stand.onlooker.changes(LAMP) == stand.onlooker.changes(BUZZER) == []


def test_an_alarm_lights_and_sounds_at_once_and_goes_on(make_stand):
    stand = make_stand(PLAIN)
    stand.wait(3.3)
    stand.show(HIGH)
    assert stand.is_lit()
    assert stand.onlooker.is_on(BUZZER)
    stand.wait(25)
    hz = stand.onlooker.flashes_hz(LAMP, 3.3)
    assert hz is not None
    assert 1.4 <= hz <= 2.8
    assert [len(burst) for burst in stand.onlooker.bursts(BUZZER)] == [5, 5, 5]


def test_saying_the_same_again_does_not_disturb_the_rhythm(make_stand):
    often, once = make_stand(PLAIN), make_stand(PLAIN)
    for stand in (often, once):
        stand.show(HIGH)
    for _ in range(100):
        often.wait(0.17)
        often.show(HIGH)
    once.wait(17)
    for pin in (LAMP, BUZZER):
        often_s, once_s = ([change.at_s for change in stand.onlooker.changes(pin)] for stand in (often, once))
        assert often_s == pytest.approx(once_s, abs=0.001)


def test_another_light_leaves_the_sound_its_time(make_stand):
    stand = make_stand(PLAIN)
    stand.show(HIGH)
    stand.wait(9)
    stand.show(Annunciation(Light.FLASHING, Colour.YELLOW, HIGH.pulses, HIGH.every_s))
    stand.wait(2)
    starts_s = [burst[0][0] for burst in stand.onlooker.bursts(BUZZER)]
    assert starts_s == pytest.approx([0.0, 10.0])


def test_acknowledged_is_steady_and_silent(make_stand):
    stand = make_stand(PLAIN)
    stand.show(HIGH)
    stand.wait(0.3)
    stand.show(SEEN)
    since_s = stand.wait(30)
    assert stand.is_lit()
    assert stand.onlooker.changes(LAMP, since_s + 0.001) == []
    assert not stand.onlooker.is_on(BUZZER)


def test_what_was_steady_and_calls_again_goes_dark_at_once(make_stand):
    stand = make_stand(PLAIN)
    stand.show(SEEN)
    stand.wait(1)
    stand.show(HIGH)
    assert not stand.is_lit()
    stand.wait(0.25)
    assert stand.is_lit()


@pytest.mark.parametrize(
    ("colour", "pins"),
    [
        (Colour.RED, {RED}),
        (Colour.YELLOW, {RED, GREEN}),
        (Colour.CYAN, {GREEN, BLUE}),
        (Colour.GREEN, {GREEN}),
        (Colour.WHITE, {RED, GREEN, BLUE}),
    ],
)
@pytest.mark.parametrize("is_active_low", [False, True])
def test_a_light_of_three_colours_mixes_them(make_stand, colour, pins, is_active_low):
    stand = make_stand(
        PanelSettings(red_pin=RED, green_pin=GREEN, blue_pin=BLUE, light_active_low=is_active_low)
    )  # fmt: skip
    stand.show(Annunciation(Light.STEADY, colour))
    assert {pin for pin in (RED, GREEN, BLUE) if stand.onlooker.is_on(pin) != is_active_low} == pins
    stand.show(Annunciation())
    assert {pin for pin in (RED, GREEN, BLUE) if stand.onlooker.is_on(pin) != is_active_low} == set()


def test_a_passive_buzzer_gets_its_tone(make_stand):
    stand = make_stand(PanelSettings(buzzer_pin=BUZZER, buzzer_hz=2000.0))
    stand.show(HIGH)
    pin = stand.pins.pin(BUZZER)
    assert (pin.frequency, pin.state) == (pytest.approx(2000, rel=0.01), 0.5)
    stand.wait(9)
    assert [len(burst) for burst in stand.onlooker.bursts(BUZZER)] == [5]
    assert not stand.onlooker.is_on(BUZZER)


def test_a_buzzer_that_sounds_when_its_pin_is_low_is_silent_from_the_first(make_stand):
    stand = make_stand(PanelSettings(buzzer_pin=BUZZER, buzzer_active_low=True))
    assert stand.onlooker.is_on(BUZZER), "high is silent"
    stand.show(HIGH)
    assert not stand.onlooker.is_on(BUZZER)


# --- for a while in its place ---------------------------------------------------------------------------------------


def test_the_lamp_test_tries_all_there_is_and_takes_a_second_at_most(make_stand):
    stand = make_stand(PanelSettings(led_pin=LAMP, red_pin=RED, green_pin=GREEN, blue_pin=BLUE, buzzer_pin=BUZZER))
    stand.show(SEEN)
    stand.panel.lamp_test()
    stand.wait(1)
    for pin in (LAMP, RED, GREEN, BLUE):
        assert any(change.level for change in stand.onlooker.changes(pin)), pin
    assert [len(burst) for burst in stand.onlooker.bursts(BUZZER)] == [1]
    assert {pin for pin in (RED, GREEN, BLUE) if stand.onlooker.is_on(pin)} == {RED}
    assert stand.onlooker.changes(RED, 1.0) == []


def test_a_lamp_for_identification_alone_leaves_the_light_alone(make_stand):
    stand = make_stand(PanelSettings(led_pin=LAMP, identify_led_pin=OWN))
    stand.show(SEEN)
    assert stand.panel.identify(5)
    stand.wait(10)
    assert len([change for change in stand.onlooker.changes(OWN) if change.level]) == 10
    assert [change.level for change in stand.onlooker.changes(LAMP)] == [1.0]


def test_a_node_whose_only_lamp_is_for_identification_shows_no_alarm_there(make_stand):
    stand = make_stand(PanelSettings(identify_led_pin=OWN))
    stand.show(HIGH)
    stand.wait(5)
    assert stand.onlooker.changes(OWN) == []


def test_the_light_identifies_where_there_is_no_other_until_an_alarm_needs_it(make_stand):
    stand = make_stand(COLOURED)
    stand.show(SEEN)
    assert stand.panel.identify(600)
    stand.wait(3.1)
    assert len([change for change in stand.onlooker.changes(BLUE) if change.level]) == 7
    since_s = stand.wait(0)
    stand.show(Annunciation(Light.FLASHING, Colour.RED))
    stand.wait(20)
    assert [change for change in stand.onlooker.changes(BLUE, since_s) if change.level] == []
    assert stand.onlooker.flashes_hz(RED, since_s) == pytest.approx(2.0)


# --- the button -----------------------------------------------------------------------------------------------------


def test_a_press_is_answered_at_once_and_told_to_the_cycle(make_stand):
    stand = make_stand(PLAIN)
    stand.show(SEEN)
    stand.wait(1)
    stand.press(0.3)
    assert not stand.is_lit(), "it winks"
    assert stand.panel.pressed.is_set()
    assert stand.acts() == [Act.ACKNOWLEDGE]
    assert not stand.panel.pressed.is_set()
    stand.wait(0.1)
    assert stand.is_lit()


def test_in_the_dark_the_wink_is_a_flash(make_stand):
    stand = make_stand(PLAIN)
    stand.press(0.3)
    assert stand.is_lit()
    stand.wait(0.1)
    assert not stand.is_lit()


def test_a_press_silences_at_once_and_if_nobody_decides_anything_the_sound_comes_back(make_stand):
    stand = make_stand(PLAIN)
    stand.show(Annunciation(Light.FLASHING, Colour.RED, 5, 2.5))
    stand.wait(1.0)
    assert stand.onlooker.is_on(BUZZER)
    stand.press(0.3)
    assert not stand.onlooker.is_on(BUZZER)
    since_s = stand.wait(4.9)
    assert [change for change in stand.onlooker.changes(BUZZER, since_s) if change.level] == []
    stand.wait(3)
    assert [change for change in stand.onlooker.changes(BUZZER, since_s) if change.level] != []


def test_a_short_press_stills_the_light_before_the_cycle_has_decided_anything(make_stand):
    stand = make_stand(PLAIN)
    stand.show(HIGH)
    stand.wait(1.1)
    stand.press(0.1)
    stand.show(HIGH)  # by a cycle that had begun before the press
    since_s = stand.wait(4.9)
    assert max(change.at_s for change in stand.onlooker.changes(LAMP, since_s)) <= since_s + 0.1
    assert stand.is_lit()
    since_s = stand.wait(3)
    assert stand.onlooker.flashes_hz(LAMP, since_s + 0.2) == pytest.approx(2.0), "nobody has acknowledged it"


def test_what_is_raised_together_with_the_press_calls_at_once(make_stand):
    stand = make_stand(PLAIN)
    stand.show(HIGH)
    stand.wait(3)
    stand.press(0.1)
    assert stand.acts() == [Act.ACKNOWLEDGE]
    stand.show(HIGH)  # the cycle that took the press has found another
    assert stand.onlooker.is_on(BUZZER)
    since_s = stand.wait(2)
    assert stand.onlooker.flashes_hz(LAMP, since_s + 0.1) == pytest.approx(2.0)


def test_a_press_after_the_cycle_has_begun_waits_for_the_next(make_stand):
    stand = make_stand(PLAIN)
    stand.show(HIGH)
    stand.press(0.1)
    assert stand.acts() == [Act.ACKNOWLEDGE]
    stand.press(0.1)
    stand.show(HIGH)
    assert not stand.onlooker.is_on(BUZZER), "it does not know of the second press"


def test_a_long_press_silences_and_leaves_the_light_flashing(make_stand):
    stand = make_stand(PLAIN)
    stand.show(HIGH)
    stand.press(2.2)
    stand.show(Annunciation(Light.FLASHING, Colour.RED))
    since_s = stand.wait(3)
    assert stand.onlooker.flashes_hz(LAMP, since_s) == pytest.approx(2.0)


def test_what_comes_after_a_press_sounds_at_once(make_stand):
    stand = make_stand(PLAIN)
    stand.show(Annunciation(Light.FLASHING, Colour.YELLOW, 3, 30.0))
    stand.press(0.3)
    stand.show(SEEN)
    stand.show(HIGH)
    assert stand.onlooker.is_on(BUZZER)


def test_a_long_press_acts_while_it_is_held(make_stand):
    stand = make_stand(PLAIN)
    stand.onlooker.press(BUTTON)
    stand.wait(1.999)
    assert stand.acts() == []
    stand.wait(0.001)
    assert stand.acts() == [Act.SILENCE]
    assert stand.is_lit(), "so that one knows to let go"
    stand.onlooker.let_go(BUTTON)
    stand.wait(1)
    assert stand.acts() == []


@pytest.mark.parametrize(
    ("node", "number", "groups"), [("a12", None, [1, 2, 1, 2]), ("a12", 3, [3, 3]), ("cellar", None, [20])]
)
def test_a_very_long_press_blinks_the_nodes_number(make_stand, node, number, groups):
    stand = make_stand(PanelSettings(led_pin=LAMP, button_pin=BUTTON, number=number), node)
    since_s = stand.wait(0)
    stand.press(6.5)
    stand.wait(30)
    lit_s = [change.at_s for change in stand.onlooker.changes(LAMP, since_s + 6) if change.level]
    found = [1]
    for before_s, after_s in pairwise(lit_s):
        if after_s - before_s > 1:
            found.append(0)
        found[-1] += 1
    assert found == groups
    assert stand.acts() == [Act.SILENCE, Act.ADDRESS]


def test_a_button_held_for_ever_acts_once_for_each_length_and_is_a_fault_after_a_minute(make_stand):
    stand = make_stand(PLAIN)
    stand.onlooker.press(BUTTON)
    stand.wait(59)
    assert stuck(stand) is False
    stand.wait(3600)
    assert stuck(stand) is True
    assert stand.acts() == [Act.SILENCE, Act.ADDRESS]
    stand.onlooker.let_go(BUTTON)
    stand.wait(1)
    assert stuck(stand) is False


def test_a_button_that_is_down_at_the_start_is_a_fault_too(make_stand):
    stand = make_stand(PanelSettings(led_pin=LAMP))
    stand.onlooker.press(BUTTON)
    stand.panel.close()
    stand.panel = open_panel(PLAIN, "a1", stand.board, stand.now)
    stand.wait(61)
    assert stuck(stand) is True


def test_a_release_that_was_not_heard_of_is_noticed(make_stand):
    stand = make_stand(PLAIN)
    stand.show(ALIVE)
    stand.onlooker.press(BUTTON)
    stand.wait(1)
    stand.pins.pin(BUTTON).edges = "none"
    stand.onlooker.let_go(BUTTON)
    stand.wait(120)
    assert stuck(stand) is False
    assert stand.acts() == [Act.ACKNOWLEDGE]


def stuck(stand: Stand) -> bool:
    (found,) = [each for each in stand.panel.conditions(stand.now()) if each.name == "button"]
    return found.holds


# --- when something is wrong ----------------------------------------------------------------------------------------


def test_a_cycle_that_speaks_no_more_is_shown_and_heard(make_stand, caplog):
    stand = make_stand(PLAIN, stuck_after_s=20.0)
    stand.show(ALIVE)
    stand.wait(20)
    assert stand.onlooker.bursts(BUZZER) == []
    since_s = stand.wait(60)
    assert [len(burst) for burst in stand.onlooker.bursts(BUZZER)] == [3, 3]
    lit_s = [change.at_s - since_s for change in stand.onlooker.changes(LAMP, since_s) if change.level]
    assert lit_s[:4] == pytest.approx([0.001, 0.301, 2.001, 2.301], abs=0.01), "two flashes, and a pause"
    stand.show(ALIVE)
    since_s = stand.wait(19)
    assert [change for change in stand.onlooker.changes(BUZZER, since_s) if change.level] == []
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


class Loose:
    """A lamp whose wire comes and goes."""

    def __init__(self) -> None:
        self.is_loose = True
        self.shown: list[Colour | None] = []
        self.is_closed = False

    def show(self, colour: Colour | None) -> None:
        if self.is_loose:
            raise OSError("GPIO busy")
        self.shown.append(colour)

    def close(self) -> None:
        self.is_closed = True
        if self.is_loose:
            raise OSError("GPIO busy")


def test_an_output_that_cannot_be_set_is_told_and_tried_again(caplog):
    clock = SimulatedClock()
    board, lamp = BenchBoard(clock), Loose()
    panel = Panel(Devices(lamps=(lamp,)), board.now)
    panel.show(HIGH)
    for _ in range(4):
        panel.play(board.now())
        clock.sleep(0.25)
    assert [each.evidence for each in panel.conditions(board.now()) if each.holds] == ["GPIO busy"]
    assert len(caplog.records) == 1, "it flashes for hours, and the log is on the card"
    lamp.is_loose = False
    for _ in range(3):
        panel.play(board.now())
    assert [each for each in panel.conditions(board.now()) if each.holds] == []
    assert lamp.shown == [Colour.RED], "once, not with every look at the clock"


def test_closing_leaves_everything_dark_and_silent_for_good(make_stand):
    stand = make_stand(PLAIN)
    stand.show(HIGH)
    stand.panel.close()
    stand.panel.close()
    for pin in (LAMP, BUZZER):
        assert not stand.onlooker.is_on(pin)
        assert stand.pins.pin(pin).function == "input"
    stand.show(HIGH)
    stand.wait(5)
    assert not stand.is_lit()


def test_a_device_that_cannot_be_closed_does_not_keep_the_others_lit():
    sound = Loose()
    sound.is_loose = False
    panel = Panel(Devices(lamps=(Loose(), sound, Loose())), lambda: Instant(0, 0, "boot"))
    with pytest.raises(OSError, match="busy"):
        panel.close()
    assert sound.is_closed


FORGOTTEN = f"""
import atexit
from edge_agent.config.settings import PanelSettings
from edge_agent.domain.annunciation import Annunciation, Colour, Light
from edge_agent.service.panel import open_panel
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.watched_pins import WatchedFactory

board = BenchBoard(SimulatedClock())
board.pin_factory = WatchedFactory(board.clock)
atexit.register(lambda: print(*(change.level for change in board.pin_factory.changes("GPIO{LAMP}"))))
panel = open_panel(PanelSettings(led_pin={LAMP}), "a1", board, board.now)
panel.show(Annunciation(Light.STEADY, Colour.RED))
panel.play(board.now())
raise SystemExit("it crashed before anything was closed")
"""


def test_a_process_that_ends_without_closing_it_leaves_it_dark():
    ended = subprocess.run([sys.executable, "-c", FORGOTTEN], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "1.0 0.0\n"), ended.stderr


@pytest.mark.parametrize("settings", [PLAIN, PanelSettings(identify_led_pin=LAMP), PanelSettings(button_pin=LAMP)])
def test_a_pin_that_somebody_has_already_is_an_error_that_names_the_setting(settings):
    clock = SimulatedClock()
    board = BenchBoard(clock)
    board.pin_factory = WatchedFactory(clock)
    with (
        LED(LAMP, pin_factory=board.pin_factory),
        pytest.raises(BoardError, match=r"panel\.\w+_pin = 23: .*in use.*must be a free pin"),
    ):
        open_panel(settings, "a1", board, board.now)


# --- its own thread -------------------------------------------------------------------------------------------------


def test_its_thread_keeps_the_time_and_ends_with_it():
    clock = SystemClock()
    board = BenchBoard(clock)
    board.pin_factory = WatchedFactory(clock)
    onlooker = Onlooker(board.pin_factory)
    panel = open_panel(PLAIN, "a1", board, board.now)
    thread = PanelThread(panel, board.now, stuck_after_s=0.2)
    thread.start()
    panel.show(ALIVE)
    assert becomes(lambda: len(onlooker.changes(LAMP)) >= 5), "no cycle speaks: it flashes"
    assert thread.is_alive()
    panel.show(HIGH)
    onlooker.press(BUTTON)
    onlooker.let_go(BUTTON)
    panel.close()
    assert becomes(lambda: not thread.is_alive())
    assert not onlooker.is_on(LAMP)
    assert not onlooker.is_on(BUZZER)


def becomes(is_so) -> bool:
    pause = threading.Event()
    return any(is_so() or pause.wait(0.01) for _ in range(round(DEADLINE_S / 0.01)))
