"""Chips unplugged, hung, wrong, and a bus that stands still: under the live agent, a thread for each bus."""

import io
import tempfile
import threading
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from chaos_parts.children import comes_true, wait_for
from chaos_parts.figures import Figure, yes
from chaos_parts.scene import Act, Say, perform
from edge_agent.config import load
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality, Sample
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.mqtt.messages import Identity
from edge_agent.service.build import build
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.recorder import Recorder
from edge_agent.service.run import run_live
from hardware_mocks.simulated_board import SimulatedBoard, plan

WITHIN_INTERVALS = 3
RECOVERY_S = 20.0
PROBE = "28-0316a2794bff"

CONFIG = """
[node]
site = "chaos"
name = "n1"
[agent]
cycle_s = 0.1
sensor_timeout_s = 1.2
[storage]
directory = "{state}"
batch_s = 1.0
[board]
kind = "simulated"
"""


@dataclass(frozen=True, slots=True)
class Plugged:
    """A sensor on the bench; those of one bus are neighbours."""

    name: str
    driver: str
    bus: str
    interval_s: float
    own: Sequence[str] = ()


BENCH = (
    Plugged("air-1", "sht3x", "i2c-1", 1.0),
    Plugged("air-2", "sht4x", "i2c-1", 1.0, ("address = 0x45",)),
    Plugged("air-3", "bme280", "i2c-1", 1.0),
    Plugged("air-4", "sht3x", "i2c-2", 1.0),
    Plugged("air-5", "aht20", "i2c-2", 1.0),
    Plugged("scale-1", "nau7802", "i2c-3", 1.0, ("rate_sps = 80",)),
    Plugged("air-6", "dht22", "gpio17", 2.1, ("pin = 17",)),
    Plugged("probe-1", "ds18b20", "w1", 1.0, (f'device = "{PROBE}"',)),
)


def toml(state: Path, bench: Sequence[Plugged]) -> str:
    parts = [CONFIG.format(state=state)]
    for plugged in bench:
        bus = [f'bus = "{plugged.bus}"'] if plugged.bus.startswith("i2c") else []
        head = f'[[sensor]]\nname = "{plugged.name}"\ndriver = "{plugged.driver}"\ninterval_s = {plugged.interval_s}'
        parts.append("\n".join([head, *bus, *plugged.own, ""]))
    return "\n".join(parts)


@dataclass(slots=True)
class Bench:
    """The running agent, its chips, and every sample that came of them."""

    board: SimulatedBoard
    plugged: Sequence[Plugged]
    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def note(self, decision: Decision, now: Instant) -> None:
        for sample in decision.samples:
            self.samples[sample.point].append(sample)

    def after(self, name: str, mono_ms: int) -> list[Sample]:
        return [sample for sample in self.samples[name] if sample.at.mono_ms > mono_ms]

    def is_well(self, name: str, since_ms: int) -> bool:
        return any(is_good(sample) for sample in self.after(name, since_ms))


def is_good(sample: Sample) -> bool:
    return all(reading.quality is Quality.GOOD for reading in sample.readings)


def now_ms() -> int:
    return round(time.monotonic() * 1000)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to the bench. ``whole_bus``: the neighbours cannot be read either, and must be told as bad."""

    sensor: str
    begin: Callable[[SimulatedBoard], None]
    end: Callable[[SimulatedBoard], None]
    codes: frozenset[str]  # what the sensor's bad readings may say
    for_s: float = 3.0
    whole_bus: bool = False
    neighbours: frozenset[str] = frozenset()  # and theirs


def _suffer(sensor: str, fault: str, *codes: str, for_s: float = 3.0) -> Fault:
    return Fault(
        sensor,
        lambda board: board.fittings[sensor].suffer(fault),
        lambda board: board.fittings[sensor].suffer(None),
        frozenset(codes),
        for_s,
    )


def _chip(sensor: str, **to: Any) -> Callable[[SimulatedBoard], None]:
    def change(board: SimulatedBoard) -> None:
        fitting: Any = board.fittings[sensor]
        for name, value in to.items():
            setattr(fitting.chip, name, value)

    return change


def _stick(board: SimulatedBoard, stuck: bool) -> None:
    board.bus("i2c-1").stuck = stuck


FAULTS: Mapping[str, Fault] = {
    "unplugged": _suffer("air-1", "unplugged", "no-answer"),
    "bad CRC": _suffer("air-1", "bad-checksum", "checksum"),
    "chip hung": Fault(
        "air-1",
        lambda board: board.bus("i2c-1").hang(0x44),
        lambda board: board.bus("i2c-1").release(),
        frozenset({"hung", "bus-held"}),
        for_s=4.8,
        whole_bus=True,
        neighbours=frozenset({"bus-held"}),
    ),
    "bus stuck": Fault(
        "air-1",
        lambda board: _stick(board, True),
        lambda board: _stick(board, False),
        frozenset({"bus-held", "hung"}),
        for_s=6.0,
        whole_bus=True,
        neighbours=frozenset({"bus-held"}),
    ),
    "ADC unplugged": _suffer("scale-1", "unplugged", "no-answer"),
    "ADC's conversions stopped": Fault(
        "scale-1",
        _chip("scale-1", stopped=True),
        _chip("scale-1", stopped=False),
        frozenset({"not-ready"}),
        for_s=6.0,
    ),
    "DHT unplugged": _suffer("air-6", "unplugged", "no-answer", for_s=7.0),
    "DHT hung until its power is cut": _suffer("air-6", "hang", "no-answer", for_s=7.0),
    "DHT bad checksum": _suffer("air-6", "bad-checksum", "checksum", for_s=7.0),
    "1-Wire probe unplugged": _suffer("probe-1", "unplugged", "no-answer", for_s=4.0),
    "1-Wire bad CRC": _suffer("probe-1", "bad-checksum", "checksum", for_s=4.0),
}
QUICK = ("chip hung",)
SLOW_TO_START = ("air-6",)  # three measurements of a DHT must agree before one is believed
LIE = "DHT wrong value, good checksum"


def campaign(args: Namespace, say: Say) -> list[Figure]:
    """``args``: quick, only. One agent for all of it: it is never restarted."""
    wanted = [name for name in FAULTS if not args.quick or name in QUICK]
    acts: dict[str, Act] = {name: (lambda bench, name=name: _fault(bench, name, FAULTS[name])) for name in wanted}
    if not args.quick:
        acts[LIE] = _lie
    plugged = [found for found in BENCH if not args.quick or found.name not in SLOW_TO_START]
    with tempfile.TemporaryDirectory(prefix="chaos-drivers-") as folder, _running(Path(folder), plugged) as bench:
        say("drivers: all chips in service")

        def run(name: str, act: Act) -> list[Figure]:
            say(f"drivers: {name}")
            return act(bench)

        return perform(acts, args.only, run)


@contextmanager
def _running(folder: Path, plugged: Sequence[Plugged]) -> Iterator[Bench]:
    """The live agent on a thread of this process, so that its chips are in reach."""
    file = folder / "agent.toml"
    file.write_text(toml(folder / "state", plugged))
    settings = load(file)
    sensors = settings.sensors
    board = SimulatedBoard(settings.board.settings, sensors, plan(settings.board.settings, sensors), SystemClock())
    bench = Bench(board, plugged)

    def connect(identity: Identity, watch: ClockWatch) -> Recorder:
        return Recorder(io.BytesIO(), watch.now)

    stop = threading.Event()
    with board.driving(), closing(build(settings, board, connect)) as parts:
        agent = threading.Thread(target=run_live, args=(parts, stop, bench.note), name="agent")
        agent.start()
        try:
            wait_for(lambda: all(bench.is_well(p.name, 0) for p in plugged), 60, "a good sample of every chip")
            yield bench
        finally:
            stop.set()
            agent.join(15)


def _fault(bench: Bench, name: str, fault: Fault) -> list[Figure]:
    (plugged,) = (found for found in bench.plugged if found.name == fault.sensor)
    neighbours = [found for found in bench.plugged if found.bus == plugged.bus and found is not plugged]
    others = [found for found in bench.plugged if found.bus != plugged.bus]
    began_ms = now_ms()
    fault.begin(bench.board)
    time.sleep(fault.for_s)
    ended_ms = now_ms()
    fault.end(bench.board)
    victims = [plugged, *(neighbours if fault.whole_bus else [])]
    back = comes_true(lambda: all(bench.is_well(victim.name, ended_ms) for victim in victims), RECOVERY_S)
    back_s = (now_ms() - ended_ms) / 1000
    time.sleep(0.3)  # what the other workers took until now reaches the cycle
    bad = [sample for sample in bench.after(plugged.name, began_ms) if not is_good(sample)]
    codes = {reading.fault for sample in bad for reading in sample.readings}
    numbers = [r.value for sample in bad for r in sample.readings if r.value is not None]
    intervals = (bad[0].at.mono_ms - began_ms) / 1000 / plugged.interval_s if bad else float("inf")
    return [
        Figure(f"{name}: bad after", round(intervals, 1), "intervals", f"<= {WITHIN_INTERVALS}"),
        Figure(f"{name}: fault codes beyond {', '.join(sorted(fault.codes))}", len(codes - fault.codes), "", "0"),
        Figure(f"{name}: bad samples", len(bad), "samples", ">= 2"),
        Figure(f"{name}: numbers among them", len(numbers), "values", "0"),
        Figure(f"{name}: samples the other buses lost", _lost(bench, others, began_ms), "samples", "0"),
        *_of_neighbours(bench, name, fault, neighbours, began_ms),
        Figure(f"{name}: measuring again without a restart", yes(back), "", "yes"),
        Figure(f"{name}: measuring again after", round(back_s, 1), "s"),
    ]


def _of_neighbours(bench: Bench, name: str, fault: Fault, neighbours: Sequence[Plugged], began_ms: int) -> list[Figure]:
    if not neighbours:
        return []
    if not fault.whole_bus:
        return [Figure(f"{name}: samples its neighbours lost", _lost(bench, neighbours, began_ms), "samples", "0")]
    told = [
        [s.at.mono_ms for s in bench.after(found.name, began_ms) if {r.fault for r in s.readings} & fault.neighbours]
        for found in neighbours
    ]
    named = [instants for instants in told if instants]
    latest = max((instants[0] - began_ms) / 1000 / neighbours[0].interval_s for instants in named) if named else 0.0
    return [
        Figure(f"{name}: neighbours told as bad", len(named), "sensors", str(len(neighbours))),
        Figure(f"{name}: the last neighbour bad after", round(latest, 1), "intervals"),
    ]


def _lost(bench: Bench, sensors: Sequence[Plugged], since_ms: int) -> int:
    """Samples that are bad, or whose turn passed without one."""
    lost = 0
    for plugged in sensors:
        found = bench.after(plugged.name, since_ms)
        lost += sum(not is_good(sample) for sample in found)
        instants = [since_ms, *(sample.at.mono_ms for sample in found)]
        steps = [(later - earlier) / 1000 for earlier, later in pairwise(instants)]
        lost += sum(max(0, round(step_s / plugged.interval_s) - 1) for step_s in steps)
    return lost


def _lie(bench: Bench) -> list[Figure]:
    """One conversion 40 °C off, its checksum right, three times over."""
    fitting: Any = bench.board.fittings["air-6"]
    (plugged,) = (found for found in BENCH if found.name == "air-6")
    began_ms, lies = now_ms(), 3
    for _ in range(lies):
        conversions = fitting.chip.conversions
        fitting.chip.spike_probability = 1.0
        wait_for(lambda: fitting.chip.conversions > conversions, 10, "a conversion")  # noqa: B023 (within this turn)
        fitting.chip.spike_probability = 0.0
        time.sleep(2.5 * plugged.interval_s)
    found = bench.after("air-6", began_ms)
    true_c = next(s.readings[0].value for s in bench.samples["air-6"] if is_good(s))
    believed = [s for s in found if s.readings[0].value is not None and abs(s.readings[0].value - true_c) > 20]
    doubted = [s for s in found if any(r.fault == "unconfirmed" for r in s.readings)]
    return [
        Figure(f"{LIE}: told", lies, "times"),
        Figure(f"{LIE}: bad, unconfirmed", len(doubted), "samples", f">= {lies}"),
        Figure(f"{LIE}: passed on as a number", len(believed), "samples", "0"),
        Figure(f"{LIE}: measuring again", yes(is_good(found[-1])), "", "yes"),
    ]
