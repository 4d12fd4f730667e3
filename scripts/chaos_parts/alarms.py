"""No broker, a clock in 1970, a card filled to the brim, a bus that hangs, all at once: does the panel still warn?"""

import json
import sqlite3
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from chaos_parts.children import comes_true, free_port, wait_for
from chaos_parts.figures import Figure, skipped, yes
from chaos_parts.filesystems import Ballast, is_root, tmpfs
from chaos_parts.lookout import BUTTON, BUZZER, LAMP, Lookout
from chaos_parts.scene import Say, perform
from edge_agent.config import load
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.mqtt.messages import Identity
from edge_agent.service.build import Connection, build
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.keeper import RETRY_S
from edge_agent.service.run import run_live
from edge_agent.storage.reserve import FILE_NAME
from hardware_mocks.fitting import CellSettings, FittedBoard

LIGHT_S, BUTTON_S = 2.0, 0.2
DISK_MB = 24
LOGGED_WITHIN_S = 30.0
PRESS_S = 0.15
ALARM = "cellar-critical-high"
CONFIG = """
[node]
site = "chaos"
name = "n1"
[storage]
directory = "{state}"
batch_s = 1.0
[mqtt]
port = {port}
[alarms]
disk_free_mb = 10.0
[panel]
led_pin = {lamp}
buzzer_pin = {buzzer}
button_pin = {button}
[[sensor]]
name = "cellar-air"
driver = "sht3x"
interval_s = 0.2  # so that there is something to write, and a full card is noticed soon
[[sensor]]
name = "attic"
driver = "sht3x"
interval_s = 1.0
bus = "i2c-2"
[[place]]
name = "cellar"
kind = "ambient"
sensors = ["cellar-air"]
high_c = 31.95
critical_high_c = 32.0
critical_on = "air"
critical_dwell_s = 0.0
"""


class Since1970(SystemClock):
    """A Pi's wall clock before anybody has set it."""

    def __init__(self) -> None:
        super().__init__()
        self._began_s = time.monotonic()

    def wall_s(self) -> float:
        return time.monotonic() - self._began_s

    def is_synchronised(self) -> bool:
        return False


def campaign(args: Namespace, say: Say) -> list[Figure]:
    """``args``: only."""
    name = "everything down"
    if not is_root():
        say(f"alarms: {name}: SKIPPED, it mounts a file system of its own and needs root")
        return [skipped(name, "needs root")]

    def run(name: str, act: Any) -> list[Figure]:
        say(f"alarms: {name}")
        with (
            tempfile.TemporaryDirectory(prefix="chaos-alarms-") as folder,
            tmpfs(Path(folder) / "disk", DISK_MB) as disk,
        ):
            return act(disk, Path(folder))

    return perform({name: _everything_down}, args.only, run)


def _everything_down(disk: Path, folder: Path) -> list[Figure]:
    state = disk / "state"
    air = {"temperature": 31.9, "humidity": 50.0, "pressure": 1013.25}
    with _running(folder, state, air) as board:
        lookout = Lookout(board.onlooker)
        began_s = time.monotonic()
        lookout.first_burst(began_s + 1)  # the bus that hangs
        _, up_s = lookout.press(PRESS_S)
        lookout.steady_since(up_s)
        ballast = Ballast(disk, greedy=True)
        ballast.take()
        wait_for(lambda: not (state / FILE_NAME).exists(), LOGGED_WITHIN_S, "the agent to notice that the card is full")
        time.sleep(2)  # and to say so
        _, up_s = lookout.press(PRESS_S)
        lookout.steady_since(up_s)

        warm_s = time.monotonic()
        air["temperature"] = 32.2
        lit_s = lookout.first_change(warm_s)
        lookout.require_flashing(lit_s)
        sounded_s, pulses = lookout.first_burst(warm_s)
        _, up_s = lookout.press(PRESS_S)
        answered_s = lookout.steady_since(up_s)
        was_down = not board.onlooker.changes(BUZZER, answered_s) and not _is_logged(state)
        ballast.give_back()
        is_logged = comes_true(lambda: _is_logged(state), LOGGED_WITHIN_S)
        wait_for((state / FILE_NAME).exists, LOGGED_WITHIN_S, "the reserve to be made again")
        time.sleep(RETRY_S + 1)  # then telemetry goes in again, and the stop loses nothing
    dates = {line["since"][:4] for line in _log(state)}
    return [
        Figure(
            "everything down: condition to the light that flashes", round(lit_s - warm_s, 2), "s", f"<= {LIGHT_S:g}"
        ),
        Figure("everything down: condition to the sound", round(sounded_s - warm_s, 2), "s", f"<= {LIGHT_S:g}"),
        Figure("everything down: pulses of its burst", pulses, "", "5"),
        Figure(
            "everything down: press let go of to the light that is steady",
            round(answered_s - up_s, 3),
            "s",
            f"<= {BUTTON_S:g}",
        ),
        Figure("everything down: silent then, and nothing of it on the full card", yes(was_down), "", "yes"),
        Figure(
            "everything down: raised and acknowledged in the log, once the card has room", yes(is_logged), "", "yes"
        ),
        Figure("everything down: the years it is dated in", ", ".join(sorted(dates)), "", "1970"),
        Figure("everything down: dark and silent after the stop", yes(_is_dark(board)), "", "yes"),
    ]


def _is_dark(board: FittedBoard) -> bool:
    return not (board.onlooker.is_on(LAMP) or board.onlooker.is_on(BUZZER))


def _is_logged(state: Path) -> bool:
    told = {(line["change"], line["who"]) for line in _log(state) if line["alarm"] == ALARM}
    return {("raised", "agent"), ("acknowledged", "button")} <= told


def _log(state: Path) -> list[Mapping[str, Any]]:
    with closing(sqlite3.connect(f"file:{state / 'agent.db'}?mode=ro", uri=True)) as file:
        return [json.loads(body) for (body,) in file.execute("SELECT body FROM outbox_alarmlog ORDER BY seq")]


@contextmanager
def _running(folder: Path, state: Path, air: Mapping[str, float]) -> Iterator[FittedBoard]:
    """The live agent on a thread of this process; what its one good sensor feels is ``air``."""
    file = folder / "agent.toml"
    file.write_text(CONFIG.format(state=state, port=free_port(), lamp=LAMP, buzzer=BUZZER, button=BUTTON))
    settings = load(file)
    board = FittedBoard(Since1970(), settings.sensors, CellSettings(), hanging=["attic"])
    board.fittings["cellar-air"].follow(lambda _: air)
    board.fittings["attic"].suffer("hang")

    def connect(identity: Identity, watch: ClockWatch) -> Connection:
        return MqttConnection(settings.mqtt, identity, watch.now)

    stop = threading.Event()
    with board.driving(), closing(build(settings, board, connect)) as parts:
        agent = threading.Thread(target=run_live, args=(parts, stop), name="agent")
        agent.start()
        try:
            yield board
        finally:
            stop.set()
            agent.join(15)
