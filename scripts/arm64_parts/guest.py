"""Runs as root inside the guest, with Debian's own Python. guest.py tour | models | install | load | drain."""

import ctypes
import hashlib
import json
import os
import random
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SITE = "/usr/lib/edge-agent/site"  # where the package keeps its libraries: paho is one of them
CONFIG = Path("/etc/edge-agent/edge-agent.toml")
STATE = Path("/var/lib/edge-agent")
CHIPS = Path("/run/i2csim.json")  # read again by the chips whenever it changes
LED, BUZZER, BUTTON = 17, 18, 27
SHT31, NAU7802 = "0x44", "0x2a"
AIR_C = 4.2
BASE = "storeroom/v1/arm64/pi-1"
UNIT = "edge-agent"
WATCHDOG_S = 60.0
SLOW_S = 180.0  # for anything that is to happen at all: the machine is emulated
CONFIGURATION = f"""
[node]
site = "arm64"
name = "pi-1"

[storage]
directory = "{STATE}"

[mqtt]
host = "127.0.0.1"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = {{interval_s}}

[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = {{interval_s}}

[[shelf]]
name = "milk"
capacity_g = 40_000.0

[[shelf.cell]]
sensor = "scale-1"
zero_counts = 84_000
counts_per_gram = 100.0

[panel]
led_pin = {LED}
buzzer_pin = {BUZZER}
button_pin = {BUTTON}
"""
MILK = "4006381333931"
A_SHOP = f"""
[food]
region = "eu"

[[place]]
name = "cold-room"
goods = ["milk"]

[[product]]
gtin = "{MILK}"
name = "Milk 1 l"
category = "dairy"
piece_g = 1063.0
"""


def figure(name: str, value: object, unit: str = "", goal: str = "") -> None:
    print("FIGURE " + json.dumps({"name": name, "value": value, "unit": unit, "goal": goal}), flush=True)


def seen(name: str, holds: object) -> None:
    figure(name, "yes" if holds else "no", "", "yes")


def run(*words: str, check: bool = True, timeout: float = 600.0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        print(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}", flush=True)
        done.check_returncode()
    return done.stdout + done.stderr


def until(comes_true: Callable[[], object], limit_s: float = SLOW_S) -> float | None:
    """Seconds until it did; None when it did not in time."""
    began_s = time.monotonic()
    while not comes_true():
        if time.monotonic() - began_s > limit_s:
            return None
        time.sleep(0.05)
    return round(time.monotonic() - began_s, 2)


# --- the machine -----------------------------------------------------------------------------------------------------


def shown(name: str) -> str:
    return run("systemctl", "show", UNIT, "-p", name, "--value", check=False).strip()


def main_pid() -> int:
    return int(shown("MainPID") or 0)


def is_active() -> bool:
    return shown("ActiveState") == "active"


def restarts() -> int:
    return int(shown("NRestarts") or 0)


def status_of(pid: int, key: str) -> str:
    text = Path(f"/proc/{pid}/status").read_text()
    return re.search(rf"^{key}:\s*(.*)$", text, re.MULTILINE).group(1)  # type: ignore[union-attr]


def line_of(pin: int) -> Path:
    return Path(Path("/run/gpio-sim").read_text().split()[1]) / f"sim_gpio{pin}"


def level(pin: int) -> int:
    return int((line_of(pin) / "value").read_text())


def pull(pin: int, towards: str) -> None:
    (line_of(pin) / "pull").write_text(f"pull-{towards}")


class Chips(threading.Thread):
    """What the chips measure: never twice quite the same, for a weight that stands still to the count is a fault."""

    def __init__(self) -> None:
        super().__init__(name="chips", daemon=True)
        self._random = random.Random(1)
        self._lock = threading.Lock()
        self.faults: dict[str, str] = {}
        self.load_g = 400.0

    def run(self) -> None:
        while True:
            self.show()
            time.sleep(0.4)

    def show(self) -> None:
        jitter = self._random.gauss
        values = {
            SHT31: {"t": AIR_C + jitter(0.0, 0.01), "rh": 81.0 + jitter(0.0, 0.05)},
            NAU7802: {"raw": round(84_000 + 100 * (self.load_g + jitter(0.0, 0.4)))},
        }
        with self._lock:
            whole = CHIPS.with_suffix(".new")
            whole.write_text(json.dumps({"fault": self.faults, "set": values}))
            whole.rename(CHIPS)

    def suffer(self, faults: dict[str, str]) -> None:
        self.faults = faults
        self.show()


def high_share(pin: int, seconds: float) -> float:
    """Of the looks at the line in that time: how many found it high."""
    looks, until_s = [], time.monotonic() + seconds
    while time.monotonic() < until_s:
        looks.append(level(pin))
        time.sleep(0.02)
    return sum(looks) / len(looks)


# --- the broker and who listens there --------------------------------------------------------------------------------


class Listener:
    """Keeps the last payload of each topic; ``heard`` gets every message."""

    def __init__(self, heard: Callable[[str, dict[str, Any]], None] = lambda topic, payload: None) -> None:
        sys.path.insert(0, SITE)
        import paho.mqtt.client as paho

        self._heard = heard
        self.last: dict[str, dict[str, Any]] = {}
        self.count: Counter[str] = Counter()
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, "listener", protocol=paho.MQTTv5, reconnect_on_failure=True
        )
        self._client.on_connect = lambda client, *_: client.subscribe(BASE + "/#", qos=1)
        self._client.on_message = self._take
        if until(self._connected, 60) is None:
            raise SystemExit("no broker on this machine")
        self._client.loop_start()

    def _connected(self) -> bool:
        try:
            self._client.connect("127.0.0.1")
        except OSError:
            return False
        return True

    def _take(self, client: object, data: object, message: Any) -> None:
        topic = message.topic.removeprefix(BASE + "/")
        if "/cmd/" in message.topic or not message.payload:
            return
        payload = json.loads(message.payload)
        self.last[topic] = payload
        self.count[topic] += 1
        self._heard(topic, payload)

    def temperature(self) -> tuple[float | None, str]:
        reading = self.last.get("telemetry/cold-room", {}).get("readings", {}).get("temperature_c", {})
        return reading.get("value"), reading.get("quality", "")

    def alarm(self, name: str) -> str:
        return self.last.get(f"alarm/{name}", {}).get("state", "")


def start_broker() -> None:
    Path("/etc/mosquitto/conf.d/bench.conf").write_text("listener 1883 127.0.0.1\nallow_anonymous true\n")
    run("systemctl", "start", "mosquitto")


# --- the tour --------------------------------------------------------------------------------------------------------


def configure(interval_s: float) -> None:
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(CONFIGURATION.format(interval_s=interval_s))
    run("chown", "root:edge-agent", str(CONFIG))
    run("chmod", "0640", str(CONFIG))


def install() -> None:
    began_s = time.monotonic()
    run("dpkg", "-i", "/job/edge-agent.deb", timeout=900)
    figure("dpkg -i", round(time.monotonic() - began_s, 1), "s")


def disk_of_its_own() -> None:
    """A file system that can be frozen under the agent alone."""
    STATE.mkdir(parents=True, exist_ok=True)
    run("truncate", "-s", "512M", "/var/tmp/state.ext4")
    run("mkfs.ext4", "-q", "/var/tmp/state.ext4")
    run("mount", "-o", "loop", "/var/tmp/state.ext4", str(STATE))


def tour() -> None:
    pull(BUTTON, "up")
    chips.start()
    start_broker()
    disk_of_its_own()
    install()
    seen("installed, and not started without a configuration", not is_active())
    print(run("edge-agent", "--version"), flush=True)
    found = Path("/var/tmp/found.toml")
    print(run("edge-agent", "setup", "--yes", "--config", str(found), check=False), flush=True)
    text = found.read_text() if found.exists() else ""
    seen("setup finds both chips on the bus", '"sht3x"' in text and '"nau7802"' in text)
    configure(1.0)
    listener = Listener()
    began_s = time.monotonic()
    run("systemctl", "start", UNIT)
    figure("start to ready (systemctl start returned)", round(time.monotonic() - began_s, 1), "s, emulated")
    sandbox()
    first_readings(listener)
    print(run("edge-agent", "doctor", check=False), flush=True)
    unplugged_chip(listener)
    hung_chip(listener)
    killed(listener)
    stopped_cold(listener)
    blocked_disk(listener)
    thinking(listener)
    ended(listener)
    print(run("journalctl", "-u", UNIT, "--no-pager", "-n", "60", check=False), flush=True)


def sandbox() -> None:
    pid = main_pid()
    seen("runs as its own user", status_of(pid, "Uid").split()[0] == run("id", "-u", "edge-agent").strip())
    bound = tuple(status_of(pid, key) for key in ("CapEff", "NoNewPrivs", "Seccomp"))
    seen("no capability, no new privileges, a system-call filter", bound == ("0" * 16, "1", "2"))
    security = run("systemd-analyze", "security", UNIT, "--no-pager", check=False).strip().splitlines()[-1]
    found = re.search(r"([0-9]+\.[0-9])", security)
    figure("systemd-analyze security, exposure", float(found.group(1)) if found else security, "", "<= 2.0")


def first_readings(listener: Listener) -> None:
    came_s = until(
        lambda: listener.temperature() == (4.2, "good") or abs((listener.temperature()[0] or 0) - 4.2) < 0.01
    )
    figure("first temperature at the broker, after ready", came_s if came_s is not None else "never", "s")
    seen("the chip's 4.2 °C arrive, good", listener.temperature()[1] == "good")
    until(lambda: shelf(listener) == "good", 60.0)
    grams = listener.last.get("telemetry/milk", {}).get("readings", {}).get("gross_g", {})
    seen("the load cell's 400 g arrive, good", grams.get("quality") == "good" and abs(grams["value"] - 400.0) < 3.0)
    until(lambda: "health" in listener.last)
    time.sleep(30.0)
    pid = main_pid()
    figure("memory (VmRSS) after 30 s", round(int(status_of(pid, "VmRSS").split()[0]) / 1024, 1), "MiB")
    figure("memory (VmHWM)", round(int(status_of(pid, "VmHWM").split()[0]) / 1024, 1), "MiB")
    figure("threads", int(status_of(pid, "Threads")))


def shelf(listener: Listener) -> str:
    """The quality of the shelf's weight."""
    return str(listener.last.get("telemetry/milk", {}).get("readings", {}).get("gross_g", {}).get("quality"))


def unplugged_chip(listener: Listener) -> None:
    standing = [alarm["alarm"] for alarm in listener.last["health"]["alarms"]]
    figure("alarms that stand while all is well", ", ".join(standing) or "none", "", "none")
    seen("the light only blips while all is well", high_share(LED, 10.0) < 0.2)
    chips.suffer({SHT31: "nack"})
    bad_s = until(lambda: listener.temperature()[1] == "bad")
    figure("unplugged chip: told as bad after", bad_s if bad_s is not None else "never", "s")
    alarm_s = until(lambda: listener.alarm("sensor-cold-room") == "unacknowledged")
    figure("  alarm after", alarm_s if alarm_s is not None else "never", "s")
    seen("  the light flashes (its GPIO line is high half of the time)", 0.25 < high_share(LED, 10.0) < 0.75)
    seen("  the buzzer is heard (its line goes up and down)", 0 < high_share(BUZZER, 40.0) < 0.9)
    for _ in range(3):  # a press of a person, a second long; an edge may be lost on the way, a level not
        pull(BUTTON, "down")
        time.sleep(0.5)
        pull(BUTTON, "up")
        if until(lambda: listener.alarm("sensor-cold-room") == "acknowledged", 15.0) is not None:
            break
    seen("  the button acknowledges", listener.alarm("sensor-cold-room") == "acknowledged")
    seen("  the other chip went on", shelf(listener) == "good")
    chips.suffer({})
    good_s = until(lambda: listener.temperature()[1] == "good")
    figure("  plugged in again: good after", good_s if good_s is not None else "never", "s")
    normal_s = until(lambda: listener.alarm("sensor-cold-room") == "normal")
    figure("  and normal after", normal_s if normal_s is not None else "never", "s")


def hung_chip(listener: Listener) -> None:
    before, count = restarts(), listener.count["health"]
    chips.suffer({NAU7802: "hang"})
    bad_s = until(lambda: shelf(listener) in ("bad", "stale"), SLOW_S)
    figure("chip that hangs its bus: its shelf told as bad after", bad_s if bad_s is not None else "never", "s")
    until(lambda: False, WATCHDOG_S + 30.0)
    seen("  the agent lives on, past the watchdog's time", restarts() == before and is_active())
    seen("  and tells its health meanwhile", listener.count["health"] > count)
    chips.suffer({})
    back_s = until(lambda: shelf(listener) == "good")
    figure("  let go: good after", back_s if back_s is not None else "never", "s")


def killed(listener: Listener) -> None:
    before, pid = restarts(), main_pid()
    os.kill(pid, signal.SIGKILL)
    back_s = until(lambda: is_active() and main_pid() not in (0, pid))
    figure("kill -9: ready again after", back_s if back_s is not None else "never", "s")
    seen("  restarted by systemd", restarts() == before + 1)
    count = listener.count["telemetry/cold-room"]
    seen("  readings arrive again", until(lambda: listener.count["telemetry/cold-room"] > count) is not None)


def stopped_cold(listener: Listener) -> None:
    """A hang of the whole process: SIGSTOP stands for an endless loop that no thread leaves."""
    before, pid = restarts(), main_pid()
    os.kill(pid, signal.SIGSTOP)
    back_s = until(lambda: is_active() and main_pid() not in (0, pid), WATCHDOG_S + SLOW_S)
    figure("hang: ready again after", back_s if back_s is not None else "never", "s")
    why = run("journalctl", "-u", UNIT, "--no-pager", "-o", "cat", check=False)
    seen("  by systemd's watchdog", restarts() == before + 1 and "watchdog" in why.lower())


def blocked_disk(listener: Listener) -> None:
    """A card that answers no write and no error, as worn cards do."""
    before, pid = restarts(), main_pid()
    run("fsfreeze", "--freeze", str(STATE))
    try:
        fired_s = until(lambda: not is_active() or main_pid() != pid, 2 * WATCHDOG_S + SLOW_S)
    finally:
        run("fsfreeze", "--unfreeze", str(STATE))
    figure("blocked disk: systemd gave it up after", fired_s if fired_s is not None else "never", "s")
    back_s = until(lambda: is_active() and main_pid() not in (0, pid))
    figure("  disk back: ready again after", back_s if back_s is not None else "never", "s")
    seen("  restarted by systemd", restarts() > before)
    count = listener.count["telemetry/cold-room"]
    seen("  readings arrive again", until(lambda: listener.count["telemetry/cold-room"] > count) is not None)


def models() -> None:
    """Of the tour only what the models do."""
    pull(BUTTON, "up")
    chips.start()
    start_broker()
    install()
    configure(1.0)
    run("systemctl", "start", UNIT)
    thinking(Listener())
    print(run("journalctl", "-u", UNIT, "--no-pager", "-n", "60", check=False), flush=True)


def thinking(listener: Listener) -> None:
    """The models: a shop with a past of half a year is told its demand, a lot its life."""
    run("systemctl", "stop", UNIT)
    with CONFIG.open("a") as out:
        out.write(A_SHOP)
    sales = Path("/var/tmp/sales.csv")
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=ago) for ago in range(180, 0, -1)]
    rows = (f"{day},{MILK},{20 + 3 * day.weekday() + day.day % 5}" for day in days)
    sales.write_text("\n".join(["day,product,qty", *rows, ""]))
    print(run("edge-agent", "import", "sales", str(sales)), flush=True)
    print(run("edge-agent", "models", "list", "--json"), flush=True)
    clock_is_right()
    run("systemctl", "start", UNIT)
    topic = f"forecast/{MILK}"
    told_s = until(lambda: topic in listener.last)
    figure(
        "forecast at the broker, after a start with 180 days of sales", told_s if told_s is not None else "never", "s"
    )
    forecast = listener.last.get(topic, {})
    seen("  by the model", forecast.get("basis") == "model" and len(forecast.get("days", [])) == 14)
    words = ("--lot", "L1", "--supplier", "farm-a", "--units", "12", "--place", "cold-room")
    print(run("edge-agent", "receive", MILK, *words), flush=True)
    told_s = until(lambda: listener.last.get("shelflife/l1", {}).get("remaining_d"))
    figure(
        "a lot's remaining life at the broker, after it was received", told_s if told_s is not None else "never", "s"
    )
    print(json.dumps(listener.last.get("shelflife/l1")), flush=True)
    until(lambda: False, 20.0)
    high_mib = int(status_of(main_pid(), "VmHWM").split()[0]) / 1024
    figure("memory (VmHWM) with both models and a night", round(high_mib, 1), "MiB", "<= 100")


def clock_is_right() -> None:
    """As chrony tells the kernel: adjtimex(2) with ADJ_MAXERROR and ADJ_STATUS."""
    told = struct.pack("@I4xqqqqi", 0x0014, 0, 0, 1_000, 0, 0).ljust(256, b"\0")
    if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(told, 256)) < 0:
        raise SystemExit("adjtimex: refused")


def ended(listener: Listener) -> None:
    chips.suffer({SHT31: "nack"})
    until(lambda: level(LED) == 1)
    began_s = time.monotonic()
    run("systemctl", "stop", UNIT)
    figure("SIGTERM: stopped after", round(time.monotonic() - began_s, 2), "s", "<= 15")
    seen("  cleanly", shown("Result") == "success")
    until(lambda: listener.last["status"]["state"] == "offline", 20.0)
    seen("  said so (offline, stopped)", listener.last["status"].get("reason") == "stopped")
    seen("  light and buzzer are off", (level(LED), level(BUZZER)) == (0, 0))
    chips.suffer({})


# --- power cuts ------------------------------------------------------------------------------------------------------


def digest(record: dict[str, Any]) -> str:
    """Of what was measured or happened; times may be corrected later, so they are left out."""
    kept = {
        key: value
        for key, value in record.items()
        if key in ("point", "readings", "alarm", "state", "kind", "delta_g", "shelf")
    }
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def rows_in(topic: str, payload: dict[str, Any]) -> list[tuple[str, str]]:
    """(epoch, stream and number; digest) of each row of the outbox in a message; health and status have none."""
    stream = payload.get("stream")
    if stream in (None, "health", "status"):
        return []
    records = payload["records"] if topic.startswith("hist/") else [payload]
    return [(f"{payload['epoch']} {stream} {record['seq']}", digest(record)) for record in records]


def tell(topic: str, payload: dict[str, Any]) -> None:
    """One line for each row that a consumer now has."""
    with _telling:
        for name, of_it in rows_in(topic, payload):
            print(f"TOLD {name} {of_it}", flush=True)


_telling = threading.Lock()
chips = Chips()


def look(told: dict[str, str], *, is_drained: bool = False) -> None:
    """What is on the card, against what was told."""
    finding: Counter[str] = Counter(damaged=len(list(STATE.glob("*.corrupt-*"))), epochs=0, lost=0, gaps=0, untold=0)
    numbers: dict[str, set[int]] = {}
    epoch = ""
    if (STATE / "agent.db").exists():
        with sqlite3.connect(f"file:{STATE}/agent.db?mode=ro", uri=True) as db:
            finding["damaged"] += db.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok"
            (epoch,) = db.execute("SELECT value FROM state WHERE key = 'epoch'").fetchone()
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                if table == "telemetry" or table.startswith("outbox_"):
                    found = {seq for (seq,) in db.execute(f"SELECT seq FROM {table}")}
                    numbers[table.removeprefix("outbox_")] = found
    for name in told:
        told_epoch, stream, seq = name.split()
        finding["epochs"] += told_epoch != epoch
        finding["lost"] += told_epoch == epoch and int(seq) not in numbers.get(stream, set())
    for stream, found in numbers.items():
        finding["gaps"] += max(found, default=0) - len(found)
        if is_drained:
            finding["untold"] += sum(f"{epoch} {stream} {seq}" not in told for seq in found)
    finding["rows"] = sum(map(len, numbers.values()))
    print("FOUND " + json.dumps(dict(finding)), flush=True)


def load(told: dict[str, str]) -> None:
    """Until the power goes."""
    pull(BUTTON, "up")
    chips.start()
    run("systemctl", "stop", UNIT, check=False)  # it may have started at boot: looked at as the cut left it
    look(told)
    start_broker()
    Listener(tell)
    run("systemctl", "start", UNIT)
    print("UNDER LOAD", flush=True)
    for turn in range(10_000):  # loads come and go, a chip is pulled out now and then
        chips.load_g = 1000.0 * (1 + turn % 3)
        chips.suffer({SHT31: "nack"} if turn % 4 == 3 else {})
        time.sleep(6.0)


def drain(told: dict[str, str]) -> None:
    """The last boot: all that still waits is told, then everything is compared."""
    pull(BUTTON, "up")
    chips.start()
    run("systemctl", "stop", UNIT, check=False)
    look(told)
    start_broker()

    def heard(topic: str, payload: dict[str, Any]) -> None:
        tell(topic, payload)
        told.update(rows_in(topic, payload))

    Listener(heard)
    run("systemctl", "start", UNIT)
    time.sleep(60.0)
    run("systemctl", "stop", UNIT)
    time.sleep(2.0)
    look(told, is_drained=True)


def main() -> None:
    act = sys.argv[1]
    if act == "tour":
        tour()
    elif act == "models":
        models()
    elif act == "install":
        install()
        configure(0.5)
        run("systemctl", "disable", UNIT, check=False)
        run("sync")
    else:
        told = json.loads(Path("/job/told.json").read_text())
        {"load": load, "drain": drain}[act](told)


main()
