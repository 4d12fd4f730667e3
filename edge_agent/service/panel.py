"""The panel a person stands before: plays light and sound in its own time, and listens to the button."""

import atexit
import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from edge_agent.alerts import annunciate, button, rhythm
from edge_agent.alerts.button import Act, Held
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.rhythm import Level, Rhythm
from edge_agent.config.settings import PanelSettings
from edge_agent.domain.alarm import Priority
from edge_agent.domain.annunciation import Annunciation, Colour, Light, Press
from edge_agent.domain.instant import Instant
from edge_agent.drivers.seam import Board
from edge_agent.service.panel_devices import Devices, is_down, listen, open_devices

log = logging.getLogger(__name__)

MAX_EDGES = 256  # of the button, between two looks: a wire that chatters must not fill the memory
MAX_PRESSES = 16  # between two cycles
ANSWER_MS = 5000  # after a press light and sound wait so long for what the cycle says to it
NAMELESS_S = 10.0  # a node without a number just blinks
NEVER_S = float("inf")

T = TypeVar("T")
Lit = Colour | None


@dataclass(frozen=True, slots=True)
class Playing(Generic[T]):
    """A rhythm and when it began."""

    played: Rhythm[T]
    since_ms: int

    def level(self, now_ms: int) -> Level[T] | None:
        return rhythm.at(self.played, now_ms - self.since_ms)


class Output(Generic[T]):
    """A device that is told only what is new. A fault is kept, and the device tried again with the next change."""

    def __init__(self, put: Callable[[T], None]) -> None:
        self._put = put
        self._last: T | None = None
        self._is_set = False
        self.fault: str | None = None

    def set(self, value: T) -> None:
        if self._is_set and value == self._last:
            return
        self._last, self._is_set = value, True
        try:
            self._put(value)
        except OSError as error:
            if self.fault is None:
                log.error("panel: an output cannot be set: %s", error)
            self.fault = str(error)
        else:
            self.fault = None


class Panel:
    """Everything is safe from every thread. ``play`` moves the outputs; whoever calls it keeps the time."""

    def __init__(self, devices: Devices, now: Callable[[], Instant], number: int | None = None) -> None:
        """``number``: what a very long press blinks."""
        self._devices, self._now, self._number = devices, now, number
        self._lamps = [Output(lamp.show) for lamp in devices.lamps]
        self._identify_lamp = [Output(lamp.show) for lamp in (devices.identify_lamp,) if lamp is not None]
        self._sounder = [Output(sounder.sound) for sounder in (devices.sounder,) if sounder is not None]
        self.is_there = devices != Devices()  # False when no pin is configured: then there is nothing to play
        self.changed = threading.Condition()  # notified when there is something new to play
        self.pressed = threading.Event()  # set while presses wait for the cycle
        self._edges: deque[tuple[bool, Instant]] = deque(maxlen=MAX_EDGES)
        self._presses: deque[Press] = deque(maxlen=MAX_PRESSES)
        self._is_taken = False  # the cycle has the presses, and has not shown yet what it made of them
        self._held = Held()
        start_ms = now().mono_ms
        self._told = self._shown = Annunciation()  # by the cycle; and in its place, while no cycle speaks
        self._told_ms = start_ms
        self._light: Playing[Lit] = Playing(rhythm.light(self._told), start_ms)
        self._sound: Playing[bool] = Playing(rhythm.sound(self._told), start_ms)
        self._over_light: Playing[Lit] | None = None  # for a while in place of the light
        self._over_sound: Playing[bool] | None = None
        self._yields = False  # what is in place of the light: to a light that calls somebody
        self._own: Playing[Lit] | None = None  # of the lamp that only identifies
        self._stilled_until_ms = self._hushed_until_ms = start_ms
        self._is_stuck = self._is_closed = False
        if devices.button is not None and listen(devices.button, self._on_edge):
            self._edges.append((True, now()))  # down from the first: held, or a short

    @property
    def has_button(self) -> bool:
        return self._devices.button is not None

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    # --- what it is told --------------------------------------------------------------------------------------------

    def show(self, told: Annunciation) -> None:
        """From now on this; what is shown already goes on in its rhythm. It is the answer to the presses taken last."""
        with self.changed:
            now_ms = self._now().mono_ms
            is_answer = self._is_taken and not (self._presses or self._edges)
            self._is_taken = False
            if is_answer:
                self._stilled_until_ms = self._hushed_until_ms = now_ms
                self._sound = Playing(self._sound.played, now_ms)  # what still wants to be heard begins anew
            if is_answer or self._is_stuck or told != self._told:
                self.changed.notify_all()
            self._told, self._told_ms = told, now_ms

    def identify(self, seconds: float) -> bool:
        """Blink for so long; False when there is no light."""
        with self.changed:
            if not (self._lamps or self._identify_lamp):
                return False
            playing = Playing(rhythm.identification(seconds), self._now().mono_ms)
            if self._identify_lamp:
                self._own = playing
            else:
                self._over_light, self._yields = playing, True
            self.changed.notify_all()
        return True

    def lamp_test(self) -> None:
        """Every colour and a chirp: what does not light or sound now would not when it matters."""
        with self.changed:
            light, sound = rhythm.lamp_test()
            now_ms = self._now().mono_ms
            self._over_light, self._yields = Playing(light, now_ms), False
            self._over_sound = Playing(sound, now_ms)
            self._own = Playing(light, now_ms)
            self.changed.notify_all()

    def _on_edge(self, is_down: bool) -> None:
        """Of the button, on gpiozero's thread."""
        with self.changed:
            self._edges.append((is_down, self._now()))
            self.changed.notify_all()

    # --- what it tells ----------------------------------------------------------------------------------------------

    def take_presses(self) -> list[Press]:
        with self.changed:
            taken = list(self._presses)
            self._presses.clear()
            self.pressed.clear()
            self._is_taken = bool(taken)
        return taken

    def conditions(self, now: Instant) -> Iterator[Condition]:
        with self.changed:
            held = self._held
            fault = next((output.fault for output in self._outputs() if output.fault is not None), None)
        yield button.condition(held, now)
        yield Condition(
            "panel",
            fault is not None,
            Priority.MEDIUM,
            "The light or the buzzer cannot be driven" if fault else "The light and the buzzer can be driven again",
            "Check the panel's wires and pins; alarms are told by MQTT meanwhile",
            fault or "",
        )

    def _outputs(self) -> "list[Output[Lit] | Output[bool]]":
        return [*self._lamps, *self._identify_lamp, *self._sounder]

    # --- what it plays ----------------------------------------------------------------------------------------------

    def play(self, now: Instant, stuck_after_s: float = NEVER_S) -> int | None:
        """Put out what belongs to this instant, and answer the monotonic ms of the next change, if there is one.

        ``stuck_after_s``: without a word from the cycle for so long, show a fault of the agent itself.
        """
        with self.changed:
            if self._is_closed or not self.is_there:
                return None
            due_ms = [self._look_at_the_cycle(now, stuck_after_s), self._follow_the_button(now)]
            due_ms += self._put_out(now.mono_ms)
            return min((due for due in due_ms if due is not None), default=None)

    def close(self) -> None:
        """Dark, silent and released; nothing is played any more."""
        with self.changed:
            if self._is_closed:
                return
            self._is_closed = True
            self.changed.notify_all()
        self._devices.close()
        atexit.unregister(self.close)

    def _look_at_the_cycle(self, now: Instant, stuck_after_s: float) -> int | None:
        silent_s = (now.mono_ms - self._told_ms) / 1000
        is_stuck = silent_s > stuck_after_s
        if is_stuck and not self._is_stuck:
            log.error("panel: no cycle has spoken for %.0f s: the light shows a fault of the agent", silent_s)
        elif self._is_stuck and not is_stuck:
            log.warning("panel: the cycle speaks again")
        self._is_stuck = is_stuck
        self._turn_to(annunciate.while_stuck(self._told) if is_stuck else self._told, now.mono_ms)
        return None if is_stuck or stuck_after_s == NEVER_S else self._told_ms + round(1000 * stuck_after_s) + 1

    def _turn_to(self, told: Annunciation, now_ms: int) -> None:
        before, self._shown = self._shown, told
        if (told.light, told.colour) != (before.light, before.colour):
            self._light = _begun(rhythm.light(told), self._light.level(now_ms), now_ms)
            self._stilled_until_ms = now_ms
            if self._yields and told.light in (Light.FLASHING, Light.DOUBLE):
                self._over_light = None
        if (told.pulses, told.every_s) != (before.pulses, before.every_s):
            self._sound = Playing(rhythm.sound(told), now_ms)
            self._hushed_until_ms = now_ms

    def _follow_the_button(self, now: Instant) -> int | None:
        while self._edges:
            self._follow(*self._edges.popleft())
        if self._held.since is not None:
            self._follow(is_down(self._devices.button), now)
        return button.next_look_ms(self._held)

    def _follow(self, is_down: bool, at: Instant) -> None:
        self._held, presses = button.follow(self._held, is_down, at)
        for press in presses:
            self._answer(press)
            self._presses.append(press)
            self.pressed.set()

    def _answer(self, press: Press) -> None:
        """At once, whatever the cycle is busy with: the light winks and flashes no more, the sound stops.

        What the cycle decides takes its place; without that all goes on as before.
        """
        now_ms = press.at.mono_ms
        self._hushed_until_ms = now_ms + ANSWER_MS
        act = button.act_of(press)
        if act is Act.ACKNOWLEDGE and self._shown.light is Light.FLASHING:
            self._stilled_until_ms = now_ms + ANSWER_MS
        if act is Act.ADDRESS:
            blinks = rhythm.identification(NAMELESS_S) if self._number is None else rhythm.number(self._number)
            self._over_light, self._yields = Playing(blinks, now_ms), True
            return
        lit = self._light.level(now_ms)
        self._over_light, self._yields = Playing(rhythm.wink(lit.value if lit is not None else None), now_ms), False

    def _put_out(self, now_ms: int) -> list[int | None]:
        """Set the outputs, and answer when each changes next."""
        self._over_light = _unless_over(self._over_light, now_ms)
        self._over_sound = _unless_over(self._over_sound, now_ms)
        self._own = _unless_over(self._own, now_ms)
        still_ms = self._stilled_until_ms if now_ms < self._stilled_until_ms else None
        base = self._light if still_ms is None else Playing(rhythm.steady(self._shown.colour), now_ms)
        light, light_ms = _level(self._over_light or base, now_ms, None)
        sound, sound_ms = _level(self._over_sound or self._sound, now_ms, False)
        own, own_ms = _level(self._own, now_ms, None)
        hush_ms = self._hushed_until_ms if now_ms < self._hushed_until_ms else None
        for lamp in self._lamps:
            lamp.set(light)
        for lamp in self._identify_lamp:
            lamp.set(own)
        for sounder in self._sounder:
            sounder.set(sound and (hush_ms is None or self._over_sound is not None))
        return [light_ms, sound_ms, own_ms, hush_ms, still_ms]


def _begun(played: Rhythm[Lit], before: Level[Lit] | None, now_ms: int) -> Playing[Lit]:
    """With what is not there yet: a light that was steady begins to flash by going dark."""
    (first, first_ms), *others = played.steps
    is_seen = not others or before is None or before.value != first
    return Playing(played, now_ms if is_seen else now_ms - first_ms)


def _unless_over(playing: Playing[T] | None, now_ms: int) -> Playing[T] | None:
    return None if playing is None or playing.level(now_ms) is None else playing


def _level(playing: Playing[T] | None, now_ms: int, rest: T) -> tuple[T, int | None]:
    """The value now, and the monotonic ms at which it changes."""
    level = None if playing is None else playing.level(now_ms)
    if level is None:
        return rest, None
    return level.value, None if level.left_ms is None else now_ms + level.left_ms


class PanelThread:
    """Keeps the panel's time while the agent runs, whatever its cycle is doing; ends when the panel is closed."""

    def __init__(self, panel: Panel, now: Callable[[], Instant], stuck_after_s: float) -> None:
        self._panel, self._now, self._stuck_after_s = panel, now, stuck_after_s
        self._thread = threading.Thread(target=self._run, name="panel", daemon=True)

    def start(self) -> None:
        if self._panel.is_there:
            self._thread.start()

    def is_alive(self) -> bool:
        """False when it died of a bug; a panel without devices needs no thread."""
        return not self._panel.is_there or self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._panel.is_closed:
                with self._panel.changed:
                    now = self._now()
                    next_ms = self._panel.play(now, self._stuck_after_s)
                    if not self._panel.is_closed:
                        self._panel.changed.wait(None if next_ms is None else max(0, next_ms - now.mono_ms) / 1000)
        finally:
            self._panel.close()  # a thread that dies leaves nothing sounding


def open_panel(settings: PanelSettings, node: str, board: Board, now: Callable[[], Instant]) -> Panel:
    """Raises BoardError for a pin that cannot be used. Closed at the latest when the process ends, however it does."""
    panel = Panel(open_devices(settings, board), now, settings.number or number_of(node))
    if panel.is_there:
        atexit.register(panel.close)
    return panel


def number_of(node: str) -> int | None:
    """What a very long press blinks: the number at the end of the node's name. It needs no network to be right.

    >>> number_of("a1"), number_of("cold-012"), number_of("cellar"), number_of("pi-20000")
    (1, 12, None, None)
    """
    found = re.search(r"\d+$", node)
    return int(found[0]) if found is not None and 0 < int(found[0]) < 10_000 else None
