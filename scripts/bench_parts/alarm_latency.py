"""alarm-latency: how long until the light calls, and until it answers the button. A hundred times, in real time.

The whole agent with every setting that matters at its default, twenty places with an SHT3x each, read once a second by
the real driver, a Mosquitto; and somebody who watches the pin of the light and presses the button. The air of one place
after the other steps over its critical limit at any moment of the cycle; nothing but the edges of the pin is looked at.
Five lives of the agent, so that each place calls once.
"""

import argparse
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

from chaos_parts.children import CampaignError, Mosquitto, free_port, wait_for
from chaos_parts.figures import Figure
from chaos_parts.lookout import BUTTON, BUZZER, LAMP, PATIENCE_S, Lookout

from edge_agent.config import Settings, load
from edge_agent.decide import Decision
from edge_agent.domain.alarm import Change
from edge_agent.domain.instant import Instant
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.mqtt.messages import Identity
from edge_agent.service.build import Connection, build
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.run import run_live
from hardware_mocks.fitting import CellSettings, FittedBoard, Sense
from hardware_mocks.watched_pins import Onlooker

LIVES, PLACES = 5, 20
LONG_PRESSES = 2  # in each life
SENSORS_ON_A_BUS = 10
BELOW_C, HIGH_C, LIMIT_C, ABOVE_C = 29.9, 29.95, 30.0, 30.2
SETTLE_S = 3.0
SHORT_PRESS_S = 0.1
LONG_PRESS_S = 2.0  # what docs/panel.md says


@dataclass(slots=True)
class Found:
    """Seconds, of every trial."""

    lit_s: list[float] = field(default_factory=list)
    sounded_s: list[float] = field(default_factory=list)
    steady_s: list[float] = field(default_factory=list)
    kept_s: list[float] = field(default_factory=list)
    winked_s: list[float] = field(default_factory=list)


class Kept:
    """When an acknowledgement by the button was decided and committed, as the agent's cycles tell."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque()

    def note(self, decision: Decision, now: Instant) -> None:
        if any(found.who == "button" and found.change is Change.ACKNOWLEDGED for found in decision.transitions):
            self._at_s.append(time.monotonic())

    def first(self, since_s: float) -> float:
        wait_for(lambda: any(at_s >= since_s for at_s in self._at_s), PATIENCE_S, "an acknowledgement")
        return next(at_s for at_s in self._at_s if at_s >= since_s)


def measure(args: argparse.Namespace, folder: Path, say: Callable[[str], None], names: Sequence[str]) -> list[Figure]:
    folder = folder / "alarm-latency"
    folder.mkdir()
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    random, found = Random(1), Found()
    try:
        for life in range(LIVES):
            say(f"alarm-latency: life {life + 1} of {LIVES}, {PLACES} alarms and presses")
            steps_s: dict[str, float] = {}
            kept = Kept()
            with _agent(load(_write_config(folder / str(life), broker.port)), steps_s, kept) as onlooker:
                _try_all(Lookout(onlooker), random, steps_s, kept, found)
    finally:
        broker.stop()
    return [
        *_figures("condition to the light that flashes", found.lit_s, "<= 2"),
        *_figures("condition to the sound", found.sounded_s, "<= 2"),
        *_figures("short press let go of to the light that is steady", found.steady_s, "<= 0.2"),
        *_figures("short press let go of to the acknowledgement on the disk", found.kept_s),
        *_figures("long press reaching its length to the light that winks", found.winked_s, "<= 0.2"),
    ]


def _figures(what: str, found_s: Sequence[float], goal: str = "") -> list[Figure]:
    return [
        Figure(f"{what}, median of {len(found_s)}", round(median(found_s), 3), "s", goal),
        Figure(f"{what}, worst", round(max(found_s), 3), "s", goal),
    ]


def _try_all(lookout: Lookout, random: Random, steps_s: dict[str, float], kept: Kept, found: Found) -> None:
    time.sleep(SETTLE_S)
    steps_s[_place(0)] = time.monotonic()
    time.sleep(3.0)  # the first is not measured: among a quiet agent's blips its edge could not be told
    _, up_s = lookout.press(SHORT_PRESS_S)
    lookout.steady_since(up_s)
    for trial in range(1, PLACES + 1):
        _acknowledged(lookout, random, steps_s, kept, found)
        if trial % (PLACES // LONG_PRESSES) == 0:
            down_s, _ = lookout.press(LONG_PRESS_S + 0.3)
            found.winked_s.append(lookout.first_change(down_s + SHORT_PRESS_S) - down_s - LONG_PRESS_S)
            lookout.steady_since(down_s + LONG_PRESS_S)


def _acknowledged(lookout: Lookout, random: Random, steps_s: dict[str, float], kept: Kept, found: Found) -> None:
    """The next place grows too warm; somebody comes, and presses the button."""
    stepped_s = time.monotonic() + random.uniform(0.05, 1.05)  # any moment of the cycle
    steps_s[_place(len(steps_s))] = stepped_s
    lit_s = lookout.first_change(stepped_s)
    found.lit_s.append(lit_s - stepped_s)
    found.sounded_s.append(lookout.first_sound(stepped_s) - stepped_s)
    lookout.require_flashing(lit_s)
    time.sleep(random.uniform(0.0, 0.3))  # lit or dark
    _, up_s = lookout.press(SHORT_PRESS_S)
    found.steady_s.append(lookout.steady_since(up_s) - up_s)
    found.kept_s.append(kept.first(up_s) - up_s)


def _place(number: int) -> str:
    return f"place-{number}"


@contextmanager
def _agent(settings: Settings, steps_s: Mapping[str, float], kept: Kept) -> Iterator[Onlooker]:
    board = FittedBoard(SystemClock(), settings.sensors, CellSettings())
    for sensor in settings.sensors:
        board.fittings[sensor.name].follow(_air(sensor.name, steps_s))
    stop, failure = threading.Event(), list[BaseException]()

    def connect(identity: Identity, watch: ClockWatch) -> Connection:
        return MqttConnection(settings.mqtt, identity, watch.now)

    def run() -> None:
        try:
            with board.driving(), closing(build(settings, board, connect)) as parts:
                run_live(parts, stop, kept.note)
        except BaseException as error:
            failure.append(error)
            raise

    thread = threading.Thread(target=run, name="agent")
    thread.start()
    try:
        yield board.onlooker
    finally:
        stop.set()
        thread.join()
    if failure:
        raise CampaignError(f"the agent failed: {failure[0]}")


def _air(sensor: str, steps_s: Mapping[str, float]) -> Sense:
    def sense(mono_s: float) -> Mapping[str, float]:
        is_above = mono_s >= steps_s.get(sensor, float("inf"))
        return {"temperature": ABOVE_C if is_above else BELOW_C, "humidity": 50.0, "pressure": 1013.25}

    return sense


def _write_config(folder: Path, port: int) -> Path:
    folder.mkdir()
    places = "".join(_written(number) for number in range(PLACES + 1))
    path = folder / "agent.toml"
    path.write_text(
        f'[node]\nsite = "bench"\nname = "bench"\n[storage]\ndirectory = "{folder / "state"}"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        f"[panel]\nled_pin = {LAMP}\nbuzzer_pin = {BUZZER}\nbutton_pin = {BUTTON}\n{places}"
    )
    return path


def _written(number: int) -> str:
    bus, chip = divmod(number, SENSORS_ON_A_BUS)
    mux, channel = divmod(chip, 8)
    return (
        f'[[sensor]]\nname = "{_place(number)}"\ndriver = "sht3x"\ninterval_s = 1.0\nreport_s = 60.0\n'
        f'bus = "i2c-{bus + 1}"\nmux_address = {0x70 + mux}\nmux_channel = {channel}\n'
        f'[[place]]\nname = "{_place(number)}"\nkind = "ambient"\nhigh_c = {HIGH_C}\ncritical_high_c = {LIMIT_C}\n'
        f'critical_on = "air"\ncritical_dwell_s = 0.0\n'
    )
