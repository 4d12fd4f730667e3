"""Stores made by the whole agent, a live agent, a real broker; and the command line as a person calls it."""

import base64
import getpass
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge_agent.cli.main import main
from edge_agent.config import load
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.service.build import build, open_board
from edge_agent.service.recorder import Recorder
from edge_agent.service.stepped import run_stepped
from edge_agent.storage.archive import Archive

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

SENSORS = """
[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = {interval_s}

[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = {interval_s}
bus = "i2c-2"
rate_sps = 80

[[shelf]]
name = "shelf-1"
capacity_g = 60_000.0
stable_s = 0.5
cells = [{{ sensor = "scale-1", zero_counts = 84_000, counts_per_gram = 100.0 }}]
"""

BOARD = """
[board]
kind = "simulated"
speed = {speed}

[board.shop]
customers_per_hour = 0.0
errands_per_hour = 0.0
moves_per_day = 0.0
touches_per_day = 0.0

[[board.shelf]]
name = "shelf-1"
cells = ["scale-1"]
level = 10
"""

OFFICE_PUBLIC = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="  # of the private half below
OFFICE_PRIVATE = bytes(range(32))

FAULT = """
[[board.fault]]
kind = "unplugged"
sensor = "cold-room"
at_s = 100.0
"""


def write_config(folder: Path, *, speed: float, interval_s: float, port: int = 1, fault: str = "") -> Path:
    path = folder / "agent.toml"
    path.write_text(
        f'[node]\nsite = "elm-street"\nname = "a1"\n\n[agent]\ncycle_s = 0.1\n\n'
        f'[storage]\ndirectory = "{folder / "state"}"\nbatch_s = 0.5\n\n'
        f'[commands]\nsocket = "{folder / "command.sock"}"\n\n'
        f'[[commands.key]]\nname = "office"\npublic_key = "{OFFICE_PUBLIC}"\n\n'
        f'[[models.key]]\nname = "office"\npublic_key = "{OFFICE_PUBLIC}"\n\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        + BOARD.format(speed=speed)
        + fault
        + SENSORS.format(interval_s=interval_s)
    )
    return path


def run_for(config: Path, seconds: float, after_cycle: Callable[[], None] = lambda: None) -> None:
    """The whole agent for so much simulated time, with a recorder in place of the broker, stopped cleanly."""

    def on_cycle(decision: Decision, now: Instant) -> None:
        after_cycle()
        if now.mono_ms >= end_ms:
            stop.set()

    settings = load(config)
    board = open_board(settings)
    stop = threading.Event()
    end_ms = 1000 * (board.clock.monotonic_s() + seconds)
    with board.driving():
        parts = build(settings, board, lambda identity, watch: Recorder(io.BytesIO(), watch.now))
        try:
            run_stepped(parts, stop, on_cycle)
        finally:
            parts.close()


@pytest.fixture(scope="session")
def healthy(tmp_path_factory) -> Path:
    """The configuration of an agent that ran for three minutes and was stopped."""
    config = write_config(tmp_path_factory.mktemp("healthy"), speed=0, interval_s=5.0)
    run_for(config, 180)
    return config


@pytest.fixture(scope="session")
def faulty(tmp_path_factory) -> Path:
    """The same, but its climate sensor was unplugged after 100 s."""
    config = write_config(tmp_path_factory.mktemp("faulty"), speed=0, interval_s=5.0, fault=FAULT)
    run_for(config, 180)
    return config


@pytest.fixture(scope="session")
def simulate() -> Callable[..., None]:
    return run_for


@pytest.fixture
def unused(tmp_path) -> Path:
    """A configuration whose agent never ran."""
    return write_config(tmp_path, speed=0, interval_s=5.0)


@pytest.fixture
def office(tmp_path) -> Path:
    """The private half of the key that the agents know as `office`."""
    path = tmp_path / "office.key"
    path.write_bytes(base64.b64encode(OFFICE_PRIVATE))
    return path


def has_good(state: Path, channel: str) -> bool:
    found = Archive.open(state)
    return channel in found.channels() and any(reading.value is not None for reading in found.history(channel))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(happened: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
    """Looks again at short intervals until a deadline; the test fails by name."""
    pause, deadline = threading.Event(), time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        pause.wait(0.02)


@pytest.fixture(scope="session")
def wait() -> Callable[..., None]:
    return wait_for


@pytest.fixture(scope="session")
def broker(tmp_path_factory) -> Iterator[int]:
    """The port of a real Mosquitto."""
    if MOSQUITTO is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed, and CI must not skip its tests")
        pytest.skip("MOSQUITTO IS NOT INSTALLED: the tests against a real broker did not run")
    folder, port = tmp_path_factory.mktemp("broker"), free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\nuser {getpass.getuser()}\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)

    def is_open() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(is_open, "mosquitto's port open")
        yield port
    finally:
        process.kill()
        process.wait(5)


@pytest.fixture(scope="session")
def live(tmp_path_factory, broker: int) -> Iterator[Path]:
    """The configuration of an agent that runs in real time, connected to the broker.

    A process of its own: a simulated clock in this one takes the vendors' libraries along.
    """
    folder = tmp_path_factory.mktemp("live")
    config = write_config(folder, speed=1.0, interval_s=1.0, port=broker)
    log = folder / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "edge_agent.cli.main", "run", "--config", str(config)]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        wait_for(lambda: b"ready:" in log.read_bytes() or process.poll() is not None, "the live agent's first commit")
        assert process.poll() is None, log.read_text()
        wait_for(lambda: has_good(folder / "state", "shelf-1/net"), "a weight of the live agent")
        yield config
    finally:
        process.terminate()
        assert process.wait(10) == 0, log.read_text()


@dataclass(frozen=True, slots=True)
class Called:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> list[dict]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def call(capsysbinary) -> Callable[..., Called]:
    """The command line, in this process."""

    def called(*words: object) -> Called:
        capsysbinary.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:  # argparse's way
            code = int(ended.code or 0)
        told = capsysbinary.readouterr()
        return Called(code, told.out.decode(), told.err.decode())

    return called


@pytest.fixture
def elsewhere(tmp_path) -> Callable[[Path], Path]:
    """A copy of a configuration with its files, to be changed or damaged."""

    def copied(config: Path) -> Path:
        state = tmp_path / "state"
        shutil.copytree(load(config).storage.directory, state)
        settings = replace(load(config))
        path = tmp_path / "agent.toml"
        path.write_text(config.read_text().replace(settings.storage.directory, str(state)))
        return path

    return copied
