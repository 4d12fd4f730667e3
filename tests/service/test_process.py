"""The agent as a process of its own: how it ends at a real broker, and that it makes no other process."""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
CLEAN_STOP_S = 5.0
DEADLINE_S = 20.0
CONFIG = """
[node]
site = "elm-street"
name = "a1"

[storage]
directory = "{directory}"

[mqtt]
port = {port}

[board]
kind = "simulated"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 1.0
"""
NO_PROCESS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import Room

made = []
sys.addaudithook(lambda event, args: made.append(event) if event in
    ("os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system", "subprocess.Popen", "os.startfile") else None)
room = Room(Path(sys.argv[2]))
for life in range(2):
    with room.running():
        for number in range(70):
            room.cycle()
        room.ask("identify", cmd_id=str(life), seconds=1)
        room.cycle()
        room.cycle(4000)
        room.send()
sys.stdout.write(",".join(made) or "none")
"""


@pytest.fixture
def broker(tmp_path):
    if MOSQUITTO is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed, and CI must not skip its tests")
        pytest.skip("MOSQUITTO IS NOT INSTALLED: the stop of the process at a real broker was not tried")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\nuser {getpass.getuser()}\n")
    with subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        pause, deadline = threading.Event(), time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            pause.wait(0.02)
        yield port
        process.kill()


def test_sigterm_ends_the_process_cleanly_and_the_broker_keeps_its_offline(tmp_path, broker):
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(directory=tmp_path / "state", port=broker))
    said, changed = [], threading.Condition()

    def on_message(_client, _userdata, message) -> None:
        with changed:
            said.append(json.loads(message.payload))
            changed.notify_all()

    def hears(state: str) -> bool:
        with changed:
            return changed.wait_for(lambda: said and said[-1]["state"] == state, DEADLINE_S)

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda c, *_: c.subscribe("storeroom/v1/elm-street/a1/status", 1)
    client.on_message = on_message
    client.connect("127.0.0.1", broker)
    client.loop_start()
    agent = subprocess.Popen([sys.executable, "-m", "edge_agent.cli.main", "run", "--config", str(config)])
    try:
        assert hears("online")
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(CLEAN_STOP_S) == 0
        assert hears("offline")
        assert said[-1]["reason"] == "stopped"
    finally:
        agent.kill()
        agent.wait()
        client.disconnect()
        client.loop_stop()


def test_the_agent_makes_no_process_once_its_pins_are_open(tmp_path):
    """A fork would share lgpio's handles (lesson 31): watched by the interpreter's own audit events."""
    found = subprocess.run(
        [sys.executable, "-c", NO_PROCESS, str(Path(__file__).parent), str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert found.stdout == "none"
