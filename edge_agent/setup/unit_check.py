"""The service as systemd has it, and the programme as it is installed."""

import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge_agent import __version__
from edge_agent.service.models import Models
from edge_agent.setup.finding import Finding, fail, ok, warn

UNIT = "edge-agent.service"
ROLLED_BACK = Path("/usr/lib/edge-agent/rolled-back")  # the package's postinst writes the reason into it
PROPERTIES = (
    "LoadState", "UnitFileState", "ActiveState", "SubState", "Result", "NRestarts", "WatchdogUSec", "Type",
)  # fmt: skip
SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
_PATIENCE_S = 10.0
_MANY_RESTARTS = 3


def version(model: Path = Path("/proc/device-tree/model")) -> Finding:
    try:
        machine = model.read_text("utf-8", errors="replace").strip("\x00 \n")
    except OSError:
        machine = platform.machine()
    return ok("version", f"edge-agent {__version__}, Python {platform.python_version()}, {machine}")


def rolled_back(note: Path = ROLLED_BACK) -> Iterator[Finding]:
    """An upgrade of the package that was taken back, or that a power cut left unfinished: the version before runs."""
    try:
        why = note.read_text("utf-8", errors="replace").strip()
    except OSError:
        return
    if "dpkg --configure" in why:
        yield warn("version", f"the version before runs: {why}", "`sudo dpkg --configure -a`; else install it again")
        return
    cure = "mend what it names, then `sudo apt-get install --reinstall ./edge-agent_VERSION_ARCHITECTURE.deb`"
    yield warn("version", f"the version before runs on: {why or 'nobody wrote down why'}", cure)


def models(here: Models, *, enabled: bool = True) -> Iterator[Finding]:
    """Opens every file that may be used, as the agent would: signature, hash, graph, recorded answers."""
    if not enabled:
        yield ok("models", "switched off (models.enabled = false): physics and simple methods alone")
        return
    from edge_agent.inference.errors import NoRuntime
    from edge_agent.inference.runtime import INSTALL, runtime_name

    try:
        runtime = runtime_name()
    except NoRuntime as error:
        words = f"{error}; physics and simple methods go on alone"
        yield warn("models", words, f"{INSTALL}, or models.enabled = false")
        return
    sound = []
    for known in here.known():
        found = here.use(known.name)
        if found.model is not None:
            sound.append(f"{known.name} {found.model.version}")
        if found.reason:
            cure = "install it anew (`edge-agent models verify` tells more), or the package"
            yield warn("models", f"{known.name}: {found.reason}", cure)
    told = ", ".join(sound) or "none is here"
    yield ok("models", f"{told}; runtime {runtime}")


def unit(systemctl: str = "systemctl", booted: Path = SYSTEMD) -> Iterator[Finding]:
    if not booted.exists():
        yield ok("service", "no systemd runs here: the agent is started by hand (`edge-agent run`)")
        return
    command = [systemctl, "show", UNIT, f"--property={','.join(PROPERTIES)}"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        yield warn("service", f"systemd does not answer: {error}", "`systemctl status edge-agent` by hand")
        return
    yield from of_unit(dict(line.partition("=")[::2] for line in told.splitlines()))


def of_unit(found: Mapping[str, str]) -> Iterator[Finding]:
    """
    >>> [each.words for each in of_unit({"LoadState": "not-found"})]
    ['edge-agent.service is not installed']
    """
    if found.get("LoadState") != "loaded":
        cure = "install the package (or deploy/install.sh); until then `edge-agent run` works by hand"
        yield warn("service", f"{UNIT} is not installed", cure)
        return
    active, restarts = found.get("ActiveState", ""), int(found.get("NRestarts") or 0)
    if active == "failed":
        cure = "`journalctl -u edge-agent -e` has the reason in its last lines; then `systemctl restart edge-agent`"
        yield fail("service", f"{UNIT} has failed: {found.get('Result', 'no reason told')}", cure)
    elif active == "active":
        yield ok("service", f"{UNIT} runs ({found.get('SubState')})")
    else:
        yield warn("service", f"{UNIT} does not run ({active})", "`sudo systemctl start edge-agent`")
    if found.get("UnitFileState") not in ("enabled", "static", "generated"):
        yield warn("service", f"{UNIT} does not start with the machine", "`sudo systemctl enable edge-agent`")
    if restarts >= _MANY_RESTARTS:
        words = f"{UNIT} was restarted {restarts} times since it was started by hand"
        yield warn("service", words, "`journalctl -u edge-agent -p warning`")
    watchdog = found.get("WatchdogUSec", "")
    if watchdog in ("", "0", "infinity"):
        yield warn("service", "no watchdog looks after the agent", "WatchdogSec= in the unit, as the package has it")
    else:
        yield ok("service", f"a watchdog looks after it ({watchdog})")
