"""The machine below the agent: each thing that is missing, with the line or the command that cures it."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from model_files import FILE, ship, version, wrong_answers

from edge_agent.config import check
from edge_agent.decide.models import ModelSettings
from edge_agent.service.model_store import ModelStore
from edge_agent.service.models import Models
from edge_agent.setup import machine_check as checks
from edge_agent.setup import unit_check
from edge_agent.setup.finding import Finding, Verdict, exit_code, fail, ok, warn
from edge_agent.setup.machine_check import Machine, User

ME = User("edge-agent", 1999, frozenset({1999}), frozenset({"edge-agent"}))
CONFIG = """
[node]
site = "shop"
name = "a1"
[panel]
led_pin = 23
[[sensor]]
name = "cold-room"
driver = "sht3x"
[[sensor]]
name = "core"
driver = "ds18b20"
device = "28-0316a2794bff"
"""


def settings():
    found = check(CONFIG, "x.toml")
    assert not isinstance(found, list), found
    return found


@pytest.fixture
def pi(tmp_path) -> Machine:
    """With every node there, open to all."""
    for name in ("i2c-1", "gpiochip0"):
        node = tmp_path / "dev" / name
        node.parent.mkdir(exist_ok=True)
        node.touch()
        node.chmod(0o666)
    (tmp_path / "sys/bus/w1/devices/w1_bus_master1").mkdir(parents=True)
    (tmp_path / "boot/firmware").mkdir(parents=True)
    (tmp_path / "boot/firmware/config.txt").write_text("# comment\ndtparam=audio=on\n")
    return Machine(tmp_path)


def of(machine: Machine, user: User = ME) -> dict[str, Finding]:
    return {finding.part: finding for finding in checks.needs(settings(), machine, user)}


def test_a_machine_that_has_everything_is_well(pi) -> None:
    assert {finding.verdict for finding in of(pi).values()} == {Verdict.OK}
    assert set(of(pi)) == {"bus", "gpio", "1-wire"}


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("", 'add the line "dtparam=i2c_arm=on" to'),
        ("#dtparam=i2c_arm=on\n", 'add the line "dtparam=i2c_arm=on" to'),
        ("dtparam=i2c_arm=off\n", 'add the line "dtparam=i2c_arm=on" to'),
        ("dtparam=i2c_arm=on\n", "restart; if it is still missing then"),
        ("dtparam=spi=on,i2c_arm\n", "restart; if it is still missing then"),
    ],
)
def test_a_missing_bus_says_which_line_is_missing_or_that_it_waits_for_a_restart(pi, text, cure) -> None:
    (pi.root / "dev/i2c-1").unlink()
    (pi.root / "boot/firmware/config.txt").write_text(text)
    finding = of(pi)["bus"]
    assert finding.verdict is Verdict.FAIL
    assert cure in finding.cure
    assert str(pi.root / "boot/firmware/config.txt") in finding.cure


def test_without_the_1_wire_overlay_its_line_is_told(pi) -> None:
    (pi.root / "sys/bus/w1/devices/w1_bus_master1").rmdir()
    assert 'add the line "dtoverlay=w1-gpio"' in of(pi)["1-wire"].cure


def test_on_no_raspberry_pi_the_cure_says_so(pi) -> None:
    (pi.root / "dev/i2c-1").unlink()
    (pi.root / "boot/firmware/config.txt").unlink()
    assert "is it a Raspberry Pi?" in of(pi)["bus"].cure


@pytest.mark.parametrize(("node", "part", "group"), [("i2c-1", "bus", "i2c"), ("gpiochip0", "gpio", "gpio")])
def test_a_user_without_the_group_is_told_the_command(pi, node, part, group) -> None:
    (pi.root / "dev" / node).chmod(0o660)
    finding = of(pi)[part]
    assert finding.verdict is Verdict.FAIL
    assert finding.cure.startswith(f"sudo usermod -aG {group} edge-agent")


def test_a_user_in_the_group_whose_node_is_not_of_it_is_told_of_the_udev_rules(pi) -> None:
    (pi.root / "dev/i2c-1").chmod(0o600)
    member = User("edge-agent", 1999, frozenset({1999, 998}), frozenset({"i2c"}))
    assert "udev rules" in of(pi, member)["bus"].cure


def test_a_member_of_the_nodes_group_may_use_it_and_root_always(pi) -> None:
    node = pi.root / "dev/i2c-1"
    node.chmod(0o660)
    member = User("edge-agent", 1999, frozenset({node.stat().st_gid}), frozenset({"i2c"}))
    assert checks.may(node, member)
    assert checks.may(node, User("root", 0, frozenset({0}), frozenset()))
    assert not checks.may(node, ME)


def test_who_is_checked_is_told_with_the_groups_that_are_missing() -> None:
    assert checks.who(ME, is_agent=True).verdict is Verdict.WARN
    assert "gpio,i2c" in checks.who(ME, is_agent=True).cure
    member = User("edge-agent", 1999, frozenset(), frozenset({"gpio", "i2c"}))
    assert checks.who(member, is_agent=True).verdict is Verdict.OK


# --- clock ------------------------------------------------------------------------------------------------------------


def clock(at: datetime, machine: Machine, *, is_synchronised: bool) -> Iterator[Finding]:
    return checks.clock(at, machine, is_synchronised=is_synchronised)


@pytest.mark.parametrize(
    ("at", "is_synchronised", "verdict", "says"),
    [
        (datetime(1970, 1, 1, 0, 2, tzinfo=UTC), False, Verdict.FAIL, "stands in 1970"),
        (datetime(2026, 11, 23, tzinfo=UTC), False, Verdict.WARN, "no time server has confirmed it"),
        (datetime(2026, 11, 23, tzinfo=UTC), True, Verdict.OK, "confirmed by a time server"),
    ],
)
def test_the_clock_is_believed_as_far_as_somebody_set_it(tmp_path, at, is_synchronised, verdict, says) -> None:
    first, second = clock(at, Machine(tmp_path), is_synchronised=is_synchronised)
    assert first.verdict is verdict
    assert says in first.words
    assert "no clock with a battery" in second.words


def test_a_clock_with_a_battery_is_seen(tmp_path) -> None:
    (tmp_path / "sys/class/rtc/rtc0").mkdir(parents=True)
    *_, last = clock(datetime(2026, 11, 23, tzinfo=UTC), Machine(tmp_path), is_synchronised=True)
    assert "there is a clock with a battery" in last.words


# --- card -------------------------------------------------------------------------------------------------------------


def test_room_on_the_card_is_told_and_too_little_is_a_fault(tmp_path) -> None:
    assert [finding.verdict for finding in checks.disk(tmp_path, ME, 0.0) if "free" in finding.words] == [Verdict.OK]
    (low,) = [finding for finding in checks.disk(tmp_path, ME, 1e12) if "free" in finding.words]
    assert low.verdict is Verdict.FAIL


def test_a_directory_that_is_not_the_agents_is_told_with_the_command(tmp_path) -> None:
    tmp_path.chmod(0o755)
    first, *_ = checks.disk(tmp_path, ME, 0.0)
    assert first.verdict is Verdict.FAIL
    assert first.cure == f"sudo chown edge-agent {tmp_path}"


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path) -> None:
    (tmp_path / "state").touch()
    (finding,) = checks.disk(tmp_path / "state", ME, 0.0)
    assert "is a file" in finding.words


@pytest.mark.skipif(not os.statvfs("/proc").f_flag & os.ST_RDONLY and not Path("/sys").exists(), reason="no such mount")
def test_a_read_only_card_is_told() -> None:
    read_only = next((p for p in (Path("/sys"), Path("/proc/sys")) if os.statvfs(p).f_flag & os.ST_RDONLY), None)
    if read_only is None:
        pytest.skip("nothing is mounted read-only here")
    first, *_ = checks.disk(read_only, User("root", 0, frozenset(), frozenset()), 0.0)
    assert "mounted read-only" in first.words


@pytest.mark.parametrize(
    ("sectors", "life", "verdicts"),
    [
        (2_000_000, None, [Verdict.OK]),
        (200_000_000, None, [Verdict.WARN]),
        (2_000_000, "0x01 0x02", [Verdict.OK, Verdict.OK]),
        (2_000_000, "0x09 0x01", [Verdict.OK, Verdict.WARN]),
    ],
)
def test_what_was_written_and_what_the_card_says_of_its_life(tmp_path, sectors, life, verdicts) -> None:
    card = tmp_path / "sys/block/mmcblk0"
    (card / "device").mkdir(parents=True)
    (card / "stat").write_text(f" 100 0 800 20 50 0 {sectors} 90 0 30 110\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/uptime").write_text(f"{2 * 86_400}.00 100.00\n")
    if life is not None:
        (card / "device/life_time").write_text(life + "\n")
    found = list(checks.wear(Machine(tmp_path)))
    assert [finding.verdict for finding in found] == verdicts


def test_a_machine_without_a_card_says_nothing_of_one(tmp_path) -> None:
    assert list(checks.wear(Machine(tmp_path))) == []


# --- service ----------------------------------------------------------------------------------------------------------

WELL = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "SubState": "running",
    "NRestarts": "0",
    "WatchdogUSec": "1min",
}


@pytest.mark.parametrize(
    ("change", "verdict", "says"),
    [
        ({}, Verdict.OK, "runs (running)"),
        ({"LoadState": "not-found"}, Verdict.WARN, "is not installed"),
        ({"ActiveState": "failed", "Result": "exit-code"}, Verdict.FAIL, "has failed: exit-code"),
        ({"ActiveState": "inactive"}, Verdict.WARN, "does not run"),
        ({"UnitFileState": "disabled"}, Verdict.WARN, "does not start with the machine"),
        ({"NRestarts": "5"}, Verdict.WARN, "restarted 5 times"),
        ({"WatchdogUSec": "infinity"}, Verdict.WARN, "no watchdog"),
    ],
)
def test_the_unit_as_systemd_has_it(change, verdict, says) -> None:
    found = list(unit_check.of_unit(WELL | change))
    named = [finding for finding in found if says in finding.words]
    assert [finding.verdict for finding in named] == [verdict]
    assert all(finding.cure for finding in found if finding.verdict is not Verdict.OK)


def test_systemd_is_asked_by_its_own_command(tmp_path) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\nprintf 'LoadState=loaded\\nActiveState=failed\\nResult=watchdog\\n'\n")
    systemctl.chmod(0o755)
    first, *_ = unit_check.unit(str(systemctl), booted=tmp_path)
    assert "has failed: watchdog" in first.words


def test_without_systemd_nothing_is_wrong(tmp_path) -> None:
    (finding,) = unit_check.unit(booted=tmp_path / "none")
    assert finding.verdict is Verdict.OK


def test_a_systemd_that_does_not_answer_is_told(tmp_path) -> None:
    (finding,) = unit_check.unit(str(tmp_path / "no-systemctl"), booted=tmp_path)
    assert finding.verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("note", "says", "cure"),
    [
        ("the new version was taken back: it did not become ready: disk full\n", "disk full", "apt-get install"),
        (
            "the upgrade from 0.1.0 is not finished: dpkg --configure -a ends it\n",
            "0.1.0",
            "`sudo dpkg --configure -a`",
        ),
        ("", "nobody wrote down why", "apt-get install"),
    ],
)
def test_an_upgrade_that_was_taken_back_or_cut_is_told_with_its_reason_and_cure(tmp_path, note, says, cure) -> None:
    (tmp_path / "rolled-back").write_text(note)
    (finding,) = unit_check.rolled_back(tmp_path / "rolled-back")
    assert finding.verdict is Verdict.WARN
    assert says in finding.words
    assert cure in finding.cure


def test_without_a_rolled_back_upgrade_nothing_is_said_of_one(tmp_path) -> None:
    assert list(unit_check.rolled_back(tmp_path / "rolled-back")) == []


def models_in(folder: Path) -> Models:
    return Models(ModelSettings(), ModelStore(folder / "none"), folder)


def test_models_are_opened_and_named_with_their_runtime(tmp_path) -> None:
    (finding,) = unit_check.models(models_in(ship(tmp_path, version("1.0"))))
    assert (finding.verdict, finding.words.partition(";")[0]) == (Verdict.OK, "tiny 1.0")
    assert "runtime ai-edge-litert" in finding.words or "runtime tflite-runtime" in finding.words


@pytest.mark.parametrize(
    ("card", "file", "says"),
    [(version("1.0"), FILE[:-1], "cut short"), (wrong_answers("1.0"), FILE, "away from what was recorded")],
)
def test_a_model_that_is_refused_is_told_with_its_cure(tmp_path, card, file, says) -> None:
    refused, others = unit_check.models(models_in(ship(tmp_path, card, file)))
    assert (refused.verdict, says in refused.words) == (Verdict.WARN, True)
    assert "edge-agent models verify" in refused.cure
    assert (others.verdict, others.words.partition(";")[0]) == (Verdict.OK, "none is here")


def test_models_that_are_switched_off_are_not_looked_at(tmp_path) -> None:
    folder = ship(tmp_path, version("1.0"), FILE[:-1])
    (finding,) = unit_check.models(models_in(folder), enabled=False)
    assert (finding.verdict, "models.enabled = false" in finding.words) == (Verdict.OK, True)


def test_the_version_is_told(tmp_path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.5\x00")
    assert unit_check.version(tmp_path / "model").words.endswith("Raspberry Pi 4 Model B Rev 1.5")


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([ok("a", "")], 0),
        ([ok("a", ""), warn("a", "", "")], 1),
        ([fail("a", "", ""), warn("a", "", "")], 2),
    ],
)
def test_the_worst_finding_is_the_exit_code(findings, code) -> None:
    assert exit_code(findings) == code
