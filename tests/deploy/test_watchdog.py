"""What feeds systemd's watchdog: the live agent in real time, with a socket in place of systemd.

A hung chip costs its own sensor only. A blocked disk, an endless loop and a dead thread keep the sign of life away, and
then systemd starts the agent anew (that it does so is seen where there is a systemd: scripts/arm64).
"""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from chaos_parts.children import CampaignError
from chaos_parts.filesystems import Card, card

from edge_agent.config import Settings, check
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.service.build import build
from edge_agent.service.run import run_live
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.sht3x_chip import Sht3xChip

WATCHDOG_S = 0.6
FEEDING_S = 20.0  # a busy machine's patience: for what must come
SILENCE_S = 2.0  # three times WATCHDOG_S: for what must not
ENDING_S = 20.0
AN_HOUR_MS = 3_600_000
CONFIG = """
[node]
site = "elm-street"
name = "a1"

[agent]
cycle_s = 0.1
sensor_timeout_s = 0.3

[storage]
batch_s = 1.0

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 0.1

[[sensor]]
name = "freezer"
driver = "sht3x"
interval_s = 0.1
bus = "i2c-3"
"""


class Systemd:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def hears(self, word: str, within_s: float) -> bool:
        """Waits for the next such message."""
        self._sock.settimeout(within_s)
        try:
            while word not in self._sock.recv(256).decode():
                pass
        except TimeoutError:
            return False
        return True

    def forget(self) -> None:
        self._sock.setblocking(False)
        try:
            while True:
                self._sock.recv(256)
        except BlockingIOError:
            return


class Life:
    """One life of the agent in a thread, with handles on what goes wrong in it."""

    def __init__(self, directory: Path) -> None:
        found = check(CONFIG, "test")
        assert isinstance(found, Settings), found
        self.settings = replace(
            found,
            storage=replace(found.storage, directory=str(directory)),
            mqtt=replace(found.mqtt, port=1),  # nobody listens
        )
        clock = SystemClock()
        self.board = BenchBoard(clock)
        self.board.plug_in(Sht3xChip(clock))
        self.board.plug_in(Sht3xChip(clock), bus="i2c-3")
        self.is_network_broken = threading.Event()
        self.is_network_hung, self.hang_ends = threading.Event(), threading.Event()
        self.is_looping, self.loop_ends = threading.Event(), threading.Event()
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def going_on(self) -> Iterator["Life"]:
        self._thread.start()
        try:
            yield self
        finally:
            self.loop_ends.set()
            self.hang_ends.set()
            self.stop.set()
            self._thread.join(ENDING_S)

    def ends(self) -> bool:
        self._thread.join(ENDING_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        parts = build(self.settings, self.board, self._connect)
        try:
            run_live(parts, self.stop, self._after_cycle)
        except BaseException as error:  # noqa: BLE001 - told to the test, as the process would tell systemd
            self.error = error
        finally:
            parts.close()

    def _connect(self, identity: object, watch: object) -> MqttConnection:
        def now() -> object:
            if self.is_network_hung.is_set():
                if threading.current_thread().name.startswith("mqtt"):
                    self.hang_ends.wait()
                return replace(watch.now(), mono_ms=watch.now().mono_ms + AN_HOUR_MS)
            if self.is_network_broken.is_set() and threading.current_thread().name.startswith("mqtt"):
                raise ZeroDivisionError("a bug in the network's thread")
            return watch.now()

        return MqttConnection(self.settings.mqtt, identity, now)

    def _after_cycle(self, decision: object, now: object) -> None:
        while self.is_looping.is_set() and not self.loop_ends.is_set():
            pass


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(round(1e6 * WATCHDOG_S)))
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        yield Systemd(sock)


def test_chips_that_hang_on_every_bus_do_not_starve_the_watchdog(tmp_path: Path, systemd: Systemd) -> None:
    with Life(tmp_path / "state").going_on() as life:
        assert systemd.hears("READY=1", FEEDING_S)
        for bus in ("i2c-1", "i2c-3"):
            life.board.bus(bus).hang()
        systemd.forget()
        assert all(systemd.hears("WATCHDOG=1", FEEDING_S) for _ in range(5))
        assert life.error is None


def test_an_endless_loop_in_the_cycle_starves_the_watchdog(tmp_path: Path, systemd: Systemd) -> None:
    with Life(tmp_path / "state").going_on() as life:
        assert systemd.hears("WATCHDOG=1", FEEDING_S)
        life.is_looping.set()
        systemd.hears("WATCHDOG=1", SILENCE_S)  # the last one of the cycle that was going on
        assert not systemd.hears("WATCHDOG=1", SILENCE_S)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_network_thread_ends_the_agent_with_its_reason(tmp_path: Path, systemd: Systemd) -> None:
    with Life(tmp_path / "state").going_on() as life:
        assert systemd.hears("WATCHDOG=1", FEEDING_S)
        life.is_network_broken.set()
        assert life.ends()
    assert isinstance(life.error, RuntimeError)
    assert "a thread of the publisher died" in str(life.error)


def test_a_hung_network_thread_starves_the_watchdog_and_says_so(
    tmp_path: Path, systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    with Life(tmp_path / "state").going_on() as life:
        assert systemd.hears("WATCHDOG=1", FEEDING_S)
        life.is_network_hung.set()
        systemd.forget()  # those of a while in which this thread had no turn
        systemd.hears("WATCHDOG=1", SILENCE_S)  # the last one of the cycle that was going on
        assert not systemd.hears("WATCHDOG=1", SILENCE_S)
        life.is_network_hung.clear()
        life.hang_ends.set()
        assert systemd.hears("WATCHDOG=1", FEEDING_S)
        assert life.error is None
    told = [found.message for found in caplog.records if "watchdog is not fed" in found.message]
    assert told == ["systemd's watchdog is not fed any more: the thread of the connection to the broker hangs"]


@pytest.fixture
def memory_card(tmp_path: Path) -> Iterator[Card]:
    if os.geteuid() != 0 or shutil.which("fsfreeze") is None:
        pytest.skip("a disk is blocked by fsfreeze, on a file system of its own: wants root")
    try:
        with card(tmp_path / "card") as found:
            yield found
    except CampaignError as error:
        pytest.skip(f"no file system can be mounted here: {error}")


def test_a_blocked_disk_starves_the_watchdog_and_is_survived_when_it_comes_back(
    memory_card: Card, systemd: Systemd
) -> None:
    with Life(memory_card.folder / "state").going_on() as life:
        assert systemd.hears("WATCHDOG=1", FEEDING_S)
        with frozen(memory_card.folder):
            systemd.hears("WATCHDOG=1", SILENCE_S)  # until the batch is due, cycles need no disk
            assert not all(systemd.hears("WATCHDOG=1", SILENCE_S) for _ in range(20))
        assert systemd.hears("WATCHDOG=1", FEEDING_S)
        assert life.error is None


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Every write waits, for as long as it takes: what a failing card does before it fails."""
    subprocess.run(["fsfreeze", "--freeze", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", str(folder)], check=True)
