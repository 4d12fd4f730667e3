"""Light, buzzer and button as gpiozero has them. Each is opened dark, silent or up, and left so."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from edge_agent.config.settings import PanelSettings
from edge_agent.domain.annunciation import Colour
from edge_agent.drivers.errors import BoardError
from edge_agent.drivers.seam import Board

BOUNCE_S = 0.01  # contacts come to rest within 10 ms; alerts/button.py needs 20 ms of a press

_RGB: Mapping[Colour | None, tuple[int, int, int]] = {
    None: (0, 0, 0),
    Colour.RED: (1, 0, 0),
    Colour.YELLOW: (1, 1, 0),
    Colour.CYAN: (0, 1, 1),
    Colour.GREEN: (0, 1, 0),
    Colour.WHITE: (1, 1, 1),
}


class Lamp(Protocol):
    def show(self, colour: Colour | None) -> None:
        """None is dark."""

    def close(self) -> None: ...


class Sounder(Protocol):
    def sound(self, is_on: bool) -> None: ...

    def close(self) -> None: ...


class PlainLamp:
    """One colour, whichever it has: the rhythm alone tells."""

    def __init__(self, led: Any) -> None:
        self._led = led  # a gpiozero.LED

    def show(self, colour: Colour | None) -> None:
        if colour is None:
            self._led.off()
        else:
            self._led.on()

    def close(self) -> None:
        self._led.off()
        self._led.close()


class ColourLamp:
    def __init__(self, led: Any) -> None:
        self._led = led  # a gpiozero.RGBLED without PWM

    def show(self, colour: Colour | None) -> None:
        self._led.value = _RGB[colour]

    def close(self) -> None:
        self._led.off()
        self._led.close()


class ActiveBuzzer:
    def __init__(self, buzzer: Any) -> None:
        self._buzzer = buzzer  # a gpiozero.Buzzer

    def sound(self, is_on: bool) -> None:
        if is_on:
            self._buzzer.on()
        else:
            self._buzzer.off()

    def close(self) -> None:
        self._buzzer.off()
        self._buzzer.close()


class PassiveBuzzer:
    """It needs its tone made for it."""

    def __init__(self, buzzer: Any, tone: Any) -> None:
        self._buzzer = buzzer  # a gpiozero.TonalBuzzer
        self._tone = tone

    def sound(self, is_on: bool) -> None:
        if is_on:
            self._buzzer.play(self._tone)
        else:
            self._buzzer.stop()

    def close(self) -> None:
        self._buzzer.stop()
        self._buzzer.close()


@dataclass(slots=True)
class Devices:
    lamps: tuple[Lamp, ...] = ()
    identify_lamp: Lamp | None = None
    sounder: Sounder | None = None
    button: Any = None  # a gpiozero.DigitalInputDevice, active while it is down

    def close(self) -> None:
        """All of them, though one fails; gpiozero makes their pins inputs."""
        with ExitStack() as closing:
            for device in (self.button, self.identify_lamp, self.sounder, *self.lamps):
                if device is not None:
                    closing.callback(device.close)


def open_devices(settings: PanelSettings, board: Board) -> Devices:
    """Raises BoardError naming the setting. Without a pin gpiozero is not even imported."""
    if settings == PanelSettings():
        return Devices()
    opened = Devices()
    try:
        _open_all(opened, settings, board)
    except BaseException:
        opened.close()
        raise
    return opened


def _open_all(opened: Devices, settings: PanelSettings, board: Board) -> None:
    from gpiozero import LED, RGBLED, Buzzer, DigitalInputDevice, TonalBuzzer
    from gpiozero.tones import Tone

    factory, is_high = board.pin_factory, not settings.light_active_low
    if settings.led_pin is not None:
        with _naming("led_pin", settings.led_pin):
            opened.lamps += (PlainLamp(LED(settings.led_pin, active_high=is_high, pin_factory=factory)),)
    if settings.red_pin is not None:
        rgb = (settings.red_pin, settings.green_pin, settings.blue_pin)
        with _naming("red_pin, green_pin, blue_pin", rgb):
            opened.lamps += (ColourLamp(RGBLED(*rgb, active_high=is_high, pwm=False, pin_factory=factory)),)
    if settings.identify_led_pin is not None:
        with _naming("identify_led_pin", settings.identify_led_pin):
            opened.identify_lamp = PlainLamp(LED(settings.identify_led_pin, pin_factory=factory))
    if settings.buzzer_pin is not None:
        with _naming("buzzer_pin", settings.buzzer_pin):
            if settings.buzzer_hz is None:
                buzzer = Buzzer(
                    settings.buzzer_pin, active_high=not settings.buzzer_active_low, pin_factory=factory
                )  # fmt: skip
                opened.sounder = ActiveBuzzer(buzzer)
            else:
                tone = Tone.from_frequency(settings.buzzer_hz)
                tonal = TonalBuzzer(settings.buzzer_pin, mid_tone=tone, pin_factory=factory)
                opened.sounder = PassiveBuzzer(tonal, tone)
    if settings.button_pin is not None:
        with _naming("button_pin", settings.button_pin):
            # gpiozero's Button is this, and a thread of its own that wakes ten times a second to see if it is held.
            opened.button = DigitalInputDevice(
                settings.button_pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=factory
            )  # fmt: skip


def listen(button: Any, on_edge: Callable[[bool], None]) -> bool:
    """Tell every change of the button, on gpiozero's own thread, and answer whether it is down now."""
    button.when_activated = partial(on_edge, True)
    button.when_deactivated = partial(on_edge, False)
    return bool(button.is_active)


def is_down(button: Any) -> bool:
    """As its wire is now; down when that cannot be said, so that nothing is taken for let go."""
    try:
        return bool(button.is_active)
    except OSError:
        return True


@contextmanager
def _naming(key: str, pin: object) -> Iterator[None]:
    """A pin that another programme or the kernel has, or that this board has not."""
    from gpiozero.exc import GPIOZeroError

    try:
        yield
    except (GPIOZeroError, OSError, ValueError) as error:
        raise BoardError(f"panel.{key} = {pin}: cannot be used ({error}): must be a free pin of the header") from error
