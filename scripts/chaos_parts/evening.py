"""The first evening of somebody new, from README.md alone, and the package's whole life, in a clean Debian 12.

The chips are simulated, and no systemd runs: the agent is started by hand. Everything that is typed here stands in
README.md ("On a Raspberry Pi") and docs/first-evening.md. Then every fault that a person can make is planted, and
`doctor` has to name its cure; then upgrades, good and bad, removal and purge.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from package_parts.targets import this_architecture

from chaos_parts import authority
from chaos_parts.children import CampaignError, comes_true
from chaos_parts.debian_root import NoRoot, Room, make, room, stop
from chaos_parts.figures import Figure, skipped, yes
from chaos_parts.filesystems import is_root

SCRIPTS = Path(__file__).parents[1]
RELEASE = "bookworm"
NEWER = "99.0"
PACKAGE = "EDGE_AGENT_PACKAGE"  # a file, where one is built already for this machine and this release
HOME, CONFIG, STATE = "usr/lib/edge-agent", "etc/edge-agent/edge-agent.toml", "var/lib/edge-agent"
CUTS, QUICK_CUTS = 6, 2
SPARE_MB = 4  # on a card that is too small for the new version
KNOWN_G = 10_000
ALARM_ENDS_S = 90.0  # one transition a minute at most
TLS_PORT = 8883
NOT_YET = "not-yet"  # as every certificate is on a machine whose clock stands in 1970

# What hangs on the wires of this trial, as `setup` is to find it.
WIRES = """
[node]
site = "trial"
name = "wires"
[board]
kind = "simulated"
[[sensor]]
name = "cold-room"
driver = "sht3x"
[[sensor]]
name = "scale-1"
driver = "nau7802"
rate_sps = 20
"""
# A board whose thermometer is strapped to another address than the configuration says.
STRAPPED = """
from dataclasses import replace
from types import SimpleNamespace
from hardware_mocks import simulated_board
Settings = simulated_board.Settings
def open_board(settings, sensors):
    moved = [
        SimpleNamespace(name=s.name, driver=s.driver, place=s.place, settings=replace(s.settings, address=0x45))
        if s.driver == "sht3x" else s
        for s in sensors
    ]
    return simulated_board.open_board(settings, moved)
"""

Say = Callable[[str], None]


@dataclass(slots=True)
class Evening:
    """What somebody did, and how long the machine took."""

    room: Room
    say: Say
    typed: list[str] = field(default_factory=list)
    questions: int = 0
    machine_s: float = 0.0

    def step(self, *words: str, answers: str | None = None) -> str:
        """One command; everything a person types is one."""
        self.say("$ " + " ".join(words))
        self.typed.append(" ".join(words))
        began_s = time.monotonic()
        try:
            return self.room.do(*words, answers=answers)
        finally:
            self.machine_s += time.monotonic() - began_s


def campaign(args: argparse.Namespace, say: Say) -> list[Figure]:
    name = "the first evening"
    if not is_root():
        return [skipped(name, "it wants root")]
    with tempfile.TemporaryDirectory(prefix="edge-agent-evening-") as scratch:
        folder = Path(scratch)
        root = folder / "root"
        try:
            make(root, RELEASE)
            say(f"a clean {RELEASE}")
            package = _package(folder / "package")
            packages = [package, _newer(package, folder / "newer")]
            say("the package, and a newer one")
            with room(root, network=True) as found:
                evening = Evening(found, say)
                _installed(evening, packages)
        except NoRoot as error:
            return [skipped(name, str(error))]
        with room(root, network=False) as found:
            figures = []
            for figure in _acts(Evening(found, say, evening.typed, machine_s=evening.machine_s), packages, args):
                say(f"{figure.name}: {figure.value}")
                figures.append(figure)
            return figures


def _acts(evening: Evening, packages: Sequence[Path], args: argparse.Namespace) -> Iterator[Figure]:
    inside, say = evening.room, evening.say
    with _broker(inside):
        yield from _evening(evening)
        say("faults are planted")
        yield from _faults(inside)
        yield from _wrong_certificates(inside)
    say("upgrades")
    yield from _upgrade(inside, packages)
    yield from _full_card(inside, packages)
    yield from _cut(inside, packages, QUICK_CUTS if args.quick else CUTS, random.Random(args.seed))
    yield from _removal(inside)


def _package(out: Path) -> Path:
    """As README.md has it built, or one that is there."""
    ready = os.environ.get(PACKAGE)
    if ready is not None:
        return Path(ready)
    command = [str(SCRIPTS / "package"), "--arch", this_architecture(), "--release", RELEASE, "--out", str(out)]
    environment = os.environ | {"EDGE_AGENT_PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CampaignError(f"scripts/package: {done.stderr.strip()[-400:]}")
    return next(out.glob("*.deb"))


def _newer(package: Path, folder: Path) -> Path:
    """The same with another number; not compressed, for that takes a minute."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder], check=True)
    control, agent = folder / "DEBIAN/control", folder / HOME / "site/edge_agent"
    control.write_text(re.sub(r"(?m)^Version: [^+]*", f"Version: {NEWER}", control.read_text()))
    (agent / "__init__.py").write_text(f'"""Built to try an upgrade."""\n\n__version__ = "{NEWER}"\n')
    for compiled in (agent / "__pycache__").glob("__init__.*.pyc"):
        compiled.unlink()
    made = folder.with_name(package.name.replace(_version_of(package), NEWER))
    pack = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(folder), str(made)]
    subprocess.run(pack, check=True, capture_output=True)
    return made


def _installed(evening: Evening, packages: Sequence[Path]) -> None:
    inside = evening.room
    for package in packages:
        (inside.root / "root" / package.name).write_bytes(package.read_bytes())
    (inside.root / "etc/hosts").write_text("127.0.0.1 localhost\n")  # as Debian's installer does
    inside.do("apt-get", "update")
    evening.step("apt-get", "install", "-y", f"/root/{packages[0].name}")
    evening.step("apt-get", "install", "-y", "mosquitto")


# --- the evening ------------------------------------------------------------------------------------------------------


@contextmanager
def _broker(inside: Room) -> Iterator[None]:
    """What systemd does on a machine that has it: the broker runs once it is installed."""
    keys = inside.root / "root/keys"
    authority.make(keys)
    authority.sign(
        keys, NOT_YET, "ca", "localhost", (datetime(2089, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC))
    )
    for key in keys.glob("*.key"):
        key.chmod(0o644)
    keys.parent.chmod(0o755)
    lines = ["listener 1883 127.0.0.1", "allow_anonymous true"]
    for number, name in enumerate(wrong.served for wrong in CERTIFICATES.values()):
        lines += [f"listener {TLS_PORT + number} 127.0.0.1", "allow_anonymous true"]
        lines += [f"certfile /root/keys/{name}.crt", f"keyfile /root/keys/{name}.key"]
    (inside.root / "root/broker.conf").write_text("\n".join([*lines, ""]))
    broker = inside.start("mosquitto", "-c", "/root/broker.conf", log="root/broker.log")
    try:
        yield
    finally:
        stop(broker)


def _evening(evening: Evening) -> Iterator[Figure]:
    inside = evening.room
    (inside.root / "root/wires.toml").write_text(WIRES)
    told = evening.step("edge-agent", "setup", "--board", "/root/wires.toml", answers="\n" * 20)
    evening.questions += _number(r"(\d+) questions? asked", told)
    config = inside.root / CONFIG
    hands = inside.root / "tmp/hands.json"
    config.write_text(config.read_text().replace("[board]\n", '[board]\nhands_file = "/tmp/hands.json"\n'))
    found = "NAU7802" in told and "SHT3x" in told
    _put(hands, 0)
    with _agent(inside):
        evening.typed.append("sudo -u edge-agent edge-agent run")
        asks = _wants(inside, "scale")
        has_alarm = "cal-shelf-1" in _standing(inside)
        evening.questions += _calibrated(evening, hands)
        is_calibrated = not _wants(inside, "scale")
        doctor = inside.run("edge-agent", "doctor")
        evening.typed.append("edge-agent doctor")
        evening.step("edge-agent", "test-alarm", "--no-wait")
        heard = evening.step("edge-agent", "watch", "--for", "30", "--json")
        grams = _grams(heard)
        is_over = comes_true(lambda: "cal-shelf-1" not in _standing(inside), ALARM_ENDS_S)
    yield Figure("commands typed, from the package to the first message", len(evening.typed), "")
    yield Figure("questions asked (setup, and the guide of the scale)", evening.questions, "")
    yield Figure("the machine's time for that", round(evening.machine_s), "s")
    yield Figure("both chips found by themselves", yes(found), "", "yes")
    yield Figure("before its calibration doctor and an alarm ask for it", yes(asks and has_alarm), "", "yes")
    yield Figure("after it neither does", yes(is_calibrated and is_over), "", "yes")
    yield Figure("first message seen at the broker", yes(heard), "", "yes")
    yield Figure("the scale tells the known weight, off by", _off(grams), "g", "<= 5")
    yield Figure("the test alarm reached the broker", yes("/alarm/test" in heard), "", "yes")
    yield Figure("doctor's exit code (1: no time server in this root)", doctor.returncode, "", "<= 1")


def _put(hands: Path, grams: float) -> None:
    """On the simulated platform."""
    draft = hands.with_suffix(".new")
    draft.write_text(json.dumps({"scale-1": grams}))
    draft.replace(hands)
    hands.chmod(0o644)


@contextmanager
def _agent(inside: Room, log: str = "tmp/agent.log") -> Iterator[None]:
    """By hand, as where no systemd runs."""
    process = inside.start("edge-agent", "run", who="edge-agent", log=log)
    try:
        if not comes_true(lambda: "ready:" in (inside.root / log).read_text(), 60):
            raise CampaignError(f"the agent did not start: {(inside.root / log).read_text()[-400:]}")
        yield
    finally:
        stop(process)


def _calibrated(evening: Evening, hands: Path) -> int:
    """Somebody who does what the guide says; answers the number of questions. Raises CampaignError."""
    evening.say("$ edge-agent calibrate shelf-1")
    evening.typed.append("edge-agent calibrate shelf-1")
    began_s = time.monotonic()
    guide = subprocess.Popen(
        evening.room.command(["edge-agent", "calibrate", "shelf-1"], who="root", environment={}),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if guide.stdin is None or guide.stdout is None:
        raise CampaignError("no pipes to the guide")
    told = []
    for line in guide.stdout:
        told.append(line)
        answer = _obeyed(line, hands)
        if answer is not None:
            guide.stdin.write(f"{answer}\n")
            guide.stdin.flush()
    evening.machine_s += time.monotonic() - began_s
    if guide.wait():
        raise CampaignError(f"the guide of the scale: {''.join(told)[-600:]}")
    return _number(r"(\d+) questions", "".join(told))


def _obeyed(line: str, hands: Path) -> str | None:
    """What a person does and says to a line of the guide; None: it asks nothing."""
    line = re.sub(r"^(?:\s*\[[^]]*\]:)+\s*", "", line)  # the prompt before has no end of line
    if line.startswith("Take everything off"):
        _put(hands, 0)
        return "go"
    if line.startswith("How many grams"):
        return str(KNOWN_G)
    if line.startswith(("Put the goods", "Use this")):
        return ""
    if line.startswith(("Put ", "Lift ")):
        _put(hands, KNOWN_G)
        return "go"
    return None


def _grams(heard: str) -> float | None:
    """The last gross weight of the shelf."""
    found = None
    for line in heard.splitlines():
        told = json.loads(line) if line.startswith("{") else {}
        if told.get("topic", "").endswith("/telemetry/shelf-1"):
            found = told["payload"]["readings"]["gross_g"]["value"]
    return found


def _off(grams: float | None) -> float:
    return float("inf") if grams is None else round(abs(grams - KNOWN_G), 1)


def _number(pattern: str, told: str) -> int:
    found = re.search(pattern, told)
    if found is None:
        raise CampaignError(f"{pattern!r} is not in: {told[-300:]}")
    return int(found[1])


def _standing(inside: Room) -> str:
    return inside.run("edge-agent", "alarms", "--json").stdout


# --- faults -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    verdict: str
    words: str
    cure: str = ""


def _examined(inside: Room, *before: str, who: str = "root", **environment: str) -> tuple[int, list[Finding]]:
    """The exit code of doctor, and what it found."""
    done = inside.run(*before, "edge-agent", "doctor", "--json", who=who, **environment)
    found = [Finding(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
    if not found:
        raise CampaignError(f"doctor says nothing: {(done.stdout + done.stderr)[-400:]}")
    return done.returncode, found


def _wants(inside: Room, part: str) -> list[Finding]:
    return [found for found in _examined(inside)[1] if found.part == part and found.verdict != "ok"]


def _names(inside: Room, cure: str, *before: str, who: str = "root", **environment: str) -> bool:
    """Whether doctor ends with 2 and one of its findings has this cure."""
    code, found = _examined(inside, *before, who=who, **environment)
    return code == 2 and any(cure in each.cure for each in found if each.verdict == "fail")


def _faults(inside: Room) -> Iterator[Figure]:
    planted: Mapping[str, Callable[[Room], bool]] = {
        "a wrong I2C address": _wrong_address,
        "a missing overlay": _missing_overlay,
        "a user without the group gpio": _without_gpio,
        "a broker that is not there": _without_broker,
        "a user who may not read the configuration": _stranger,
        "a misspelt key": _misspelt,
    }
    for name, plant in planted.items():
        with _as_it_was(inside.root / CONFIG):
            yield Figure(f"{name}: doctor names the cure", yes(plant(inside)), "", "yes")


@contextmanager
def _as_it_was(config: Path) -> Iterator[None]:
    text = config.read_text()
    try:
        yield
    finally:
        config.write_text(text)


def _edit(inside: Room, *changes: tuple[str, str]) -> None:
    config = inside.root / CONFIG
    text = config.read_text()
    for before, after in changes:
        if before not in text:
            raise CampaignError(f"{before!r} is not in the configuration")
        text = text.replace(before, after)
    config.write_text(text)


def _wrong_address(inside: Room) -> bool:
    site = inside.root / HOME / "site"
    wires, plug = site / "chaos_wires.py", site / "chaos_wires-1.dist-info"
    wires.write_text(STRAPPED)
    plug.mkdir()
    (plug / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos-wires\nVersion: 1\n")
    (plug / "entry_points.txt").write_text("[edge_agent.boards]\nstrapped = chaos_wires\n")
    _edit(inside, ('kind = "simulated"', 'kind = "strapped"'))
    try:
        return _names(inside, "address = 0x45")
    finally:
        for file in (wires, *plug.iterdir()):
            file.unlink()
        plug.rmdir()


def _as_a_pi(inside: Room) -> None:
    """The machine's own pins, none of which is here, and a door on one of them."""
    inside.do("mkdir", "-p", "/boot/firmware")
    (inside.root / "boot/firmware/config.txt").write_text("dtparam=audio=on\n")
    door = '[[sensor]]\nname = "cold-room-door"\ndriver = "contact"\npin = 22\n\n[[place]]'
    _edit(
        inside,
        ('hands_file = "/tmp/hands.json"\nkind = "simulated"\n', 'kind = "raspberry-pi"\n'),
        ("[[place]]", door),
    )


def _missing_overlay(inside: Room) -> bool:
    _as_a_pi(inside)
    return _names(inside, 'add the line "dtparam=i2c_arm=on" to /boot/firmware/config.txt')


def _without_gpio(inside: Room) -> bool:
    _as_a_pi(inside)
    node = inside.root / "dev/gpiochip0"
    node.touch()
    inside.do("chgrp", "gpio", "/dev/gpiochip0")
    node.chmod(0o660)
    inside.do("gpasswd", "-d", "edge-agent", "gpio")
    try:
        return _names(inside, "sudo usermod -aG gpio edge-agent")
    finally:
        inside.do("gpasswd", "-a", "edge-agent", "gpio")
        node.unlink()


def _without_broker(inside: Room) -> bool:
    _edit(inside, ("port = 1883", "port = 1884"))
    return _names(inside, "systemctl start mosquitto")


def _stranger(inside: Room) -> bool:
    return _names(inside, "sudo edge-agent doctor", who="nobody")


def _misspelt(inside: Room) -> bool:
    _edit(inside, ("report_s", "reprot_s"))
    return _names(inside, "edge-agent config check")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A certificate of the broker that is not to be believed."""

    words: str  # of doctor
    cure: str
    log: str  # of the agent
    served: str  # of authority.make


CERTIFICATES: Mapping[str, Wrong] = {
    "expired": Wrong("has expired on", "a new certificate", "certificate has expired", "expired"),
    "for another name": Wrong(
        "is for elsewhere.example",
        "write mqtt.host as the certificate has it",
        "not valid for 'localhost'",
        "other-name",
    ),
    "not valid yet": Wrong("is not valid yet", "the clock", "not yet valid", NOT_YET),
}


def _says(log: Path, words: str) -> bool:
    return words in log.read_text()


def _wrong_certificates(inside: Room) -> Iterator[Figure]:
    """Doctor names cause and cure; the agent runs on, says why it sends nothing, and loses nothing."""
    keys = inside.root / "root/keys"
    for number, (name, wrong) in enumerate(CERTIFICATES.items()):
        tls = f'port = {TLS_PORT + number}\n\n[mqtt.tls]\nca_file = "/etc/edge-agent/ca.crt"\n'
        (inside.root / "etc/edge-agent/ca.crt").write_text((keys / "ca.crt").read_text())
        with _as_it_was(inside.root / CONFIG):
            _edit(inside, ("port = 1883\n", tls))
            _, found = _examined(inside)
            named = any(wrong.words in each.words and wrong.cure in each.cure for each in found)
            log = f"tmp/agent-{wrong.served}.log"
            agent = inside.start("edge-agent", "run", who="edge-agent", log=log)
            said = comes_true(partial(_says, inside.root / log, wrong.log), 30)
            runs = agent.poll() is None
            stop(agent)
        yield Figure(f"broker's certificate {name}: doctor names cause and cure", yes(named), "", "yes")
        yield Figure(f"broker's certificate {name}: the agent runs on and says why", yes(said and runs), "", "yes")


# --- the package's life -----------------------------------------------------------------------------------------------


def _kept(inside: Room) -> Mapping[str, str]:
    """Configuration, calibration and data, as far as they may not change by themselves."""
    history = inside.do("edge-agent", "scale", "history", "shelf-1", "--json")
    rows = inside.do("edge-agent", "history", "cold-room/temperature")
    return {"configuration": (inside.root / CONFIG).read_text(), "calibration": history, "data": rows}


def _version(inside: Room) -> str:
    """What starts next; "none" when nothing does, or files of two versions."""
    done = inside.run("edge-agent", "--version")
    checked = inside.run("edge-agent", "config", "check", f"/{CONFIG}")
    return done.stdout.split()[-1] if done.returncode == 0 and checked.returncode == 0 else "none"


def _upgrade(inside: Room, packages: Sequence[Path]) -> Iterator[Figure]:
    before = _kept(inside)
    inside.do("dpkg", "-i", f"/root/{packages[1].name}")
    after = _kept(inside)
    with _agent(inside):
        runs = _version(inside) == NEWER
    yield Figure("upgrade: the new version runs", yes(runs), "", "yes")
    for name in before:
        yield Figure(f"upgrade: {name} kept", yes(before[name] and before[name] == after[name]), "", "yes")


def _full_card(inside: Room, packages: Sequence[Path]) -> Iterator[Figure]:
    """The package's folder on a card with room for the old version and little more."""
    home = inside.root / HOME
    was = _version(inside)
    used = subprocess.run(["du", "-sm", home], capture_output=True, text=True, check=True).stdout.split()[0]
    aside = inside.root / "root/aside"
    subprocess.run(["cp", "-a", home, aside], check=True)
    inside.mount("-t", "tmpfs", "-o", f"size={int(used) + SPARE_MB}m", "card", str(home))
    inside.do("cp", "-a", "/root/aside/.", f"/{HOME}")
    done = inside.run("dpkg", "-i", f"/root/{packages[0].name}")
    is_told = done.returncode != 0 and "No space left on device" in done.stderr
    runs = _version(inside) == was
    inside.umount(home)
    inside.do("rm", "-rf", "/root/aside")
    yield Figure("upgrade on a full card: refused, and told why", yes(is_told), "", "yes")
    yield Figure("upgrade on a full card: the version before runs on", yes(runs), "", "yes")


def _cut(inside: Room, packages: Sequence[Path], cuts: int, rng: random.Random) -> Iterator[Figure]:
    """SIGKILL to dpkg and all it runs; then what starts, what doctor says, and whether it can be ended."""
    began_s = time.monotonic()
    inside.do("dpkg", "-i", f"/root/{packages[0].name}")
    takes_s = time.monotonic() - began_s
    torn = unfinished = untold = old = 0
    kept = (inside.root / CONFIG).read_text()
    for number in range(cuts):
        package = packages[(number + 1) % 2]
        child = inside.start("dpkg", "-i", f"/root/{package.name}", log="tmp/dpkg.log")
        try:
            child.wait(rng.uniform(0.1, takes_s))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        before, found = _version_of(packages[number % 2]), _version(inside)
        torn += found not in (before, _version_of(package))
        old += found == before
        if (inside.root / HOME / "rolled-back").exists():
            untold += not any("dpkg --configure -a" in each.cure for each in _examined(inside)[1])
        inside.run("dpkg", "--configure", "-a")
        inside.run("dpkg", "-i", f"/root/{package.name}")
        unfinished += _version(inside) != _version_of(package)
    yield Figure("upgrade of the package cut at a random moment", cuts, "")
    yield Figure("the old version ran on", old, "")
    yield Figure("no whole version to start", torn, "", "0")
    yield Figure("unfinished, and doctor does not say how to end it", untold, "", "0")
    yield Figure("not finished by doing it again", unfinished, "", "0")
    yield Figure("configuration touched", int((inside.root / CONFIG).read_text() != kept), "", "0")


def _version_of(package: Path) -> str:
    """
    >>> _version_of(Path("edge-agent_0.1.0+deb12_amd64.deb"))
    '0.1.0'
    """
    return package.name.split("_")[1].split("+")[0]


def _removal(inside: Room) -> Iterator[Figure]:
    root = inside.root
    inside.do("dpkg", "--remove", "edge-agent")
    stays = all((root / place).exists() for place in (CONFIG, f"{STATE}/agent.db", f"{STATE}/settings.db"))
    gone = not (root / HOME).exists() and not (root / "usr/bin/edge-agent").exists()
    yield Figure("removal: the programme is gone, configuration and data stay", yes(stays and gone), "", "yes")
    inside.do("dpkg", "--purge", "edge-agent")
    left = [
        str(path.relative_to(root))
        for top in ("etc", "usr", "var", "run", "lib", "opt")
        for path in (root / top).rglob("*edge-agent*")
        if "var/lib/apt" not in str(path) and "var/cache/apt" not in str(path)
    ]
    users = [
        line
        for name in ("passwd", "group")
        for line in (root / "etc" / name).read_text().split()
        if "edge-agent" in line
    ]
    left += users
    yield Figure(f"purge: files and users left {left or ''}".strip(), len(left), "", "0")
