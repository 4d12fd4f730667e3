"""The systemd unit: closed enough, understood by the oldest systemd we serve, and true to the code."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_agent.cli.exits import Exit
from edge_agent.service import leaving, run

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "edge-agent.service"
MOST_EXPOSED = 2.0
RESTART_STEPS_SINCE = 254

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: apt-get install systemd"
)


def _key(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


@needs_analyze
def test_the_unit_is_exposed_by_two_at_most() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Overall exposure level for edge-agent.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout[-500:]
    assert float(found[1]) <= MOST_EXPOSED


@needs_analyze
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/edge-agent", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "edge-agent" in line] == []


def test_keys_that_an_older_systemd_warns_of_stand_in_a_file_of_their_own() -> None:
    assert not _key("RestartSteps")
    backoff = configparser.ConfigParser()
    backoff.read(DEPLOY / "systemd" / "backoff.conf")
    assert {key.lower() for key in backoff["Service"]} == {"restartsteps", "restartmaxdelaysec"}


def test_the_watchdog_is_more_patient_than_what_feeds_it_and_than_a_stop_takes() -> None:
    """The feed stops after PUBLISHER_STALE_S at the latest; three feeds fit into WatchdogSec, and a long commit."""
    (watchdog_s,) = map(float, _key("WatchdogSec"))
    assert watchdog_s >= 3 * run.STUCK_S
    (stop_s,) = map(float, _key("TimeoutStopSec"))
    assert stop_s > run.STOP_WORKERS_S + run.STOP_DRAIN_S + leaving.STOP_CONNECTION_S


def test_a_faulty_configuration_is_not_tried_for_ever() -> None:
    assert set(_key("RestartPreventExitStatus")[0].split()) == {str(Exit.USAGE.value), str(Exit.CONFIG.value)}


def test_the_kernel_may_be_asked_whether_the_clock_is_right() -> None:
    allowed = " ".join(line for line in _key("SystemCallFilter") if not line.startswith("~")).split()
    assert {"adjtimex", "clock_adjtime"} <= set(allowed)
    assert not _key("ProtectClock"), "it forbids adjtimex(2) altogether"


@pytest.mark.parametrize("device", ["gpiochip", "i2c", "spi"])
def test_each_kind_of_device_has_its_group_its_rule_and_its_permission(device: str) -> None:
    group = {"gpiochip": "gpio"}.get(device, device)
    assert f"char-{device} rw" in _key("DeviceAllow")
    assert group in _key("SupplementaryGroups")[0].split()
    assert f'GROUP="{group}"' in (DEPLOY / "systemd" / "60-edge-agent.rules").read_text()
    assert f"m edge-agent {group}" in (DEPLOY / "systemd" / "sysusers.conf").read_text()


@pytest.mark.parametrize("script", ["debian/preinst", "debian/postinst", "debian/prerm", "debian/postrm", "install.sh"])
def test_the_scripts_are_well_formed(script: str) -> None:
    file = DEPLOY / script
    shell = "bash" if "bash" in file.read_text().splitlines()[0] else "sh"
    done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
