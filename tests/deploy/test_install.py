"""deploy/install.sh on a machine of its own: install, upgrade, going back, going away."""

import os
from pathlib import Path

import pytest

from tests.deploy.conftest import Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="install.sh wants root")

MIGRATE = (
    "import os, sqlite3; db = sqlite3.connect(os.environ['EDGE_AGENT_ROOT'] + '/var/lib/edge-agent/agent.db'); "
    "db.execute('PRAGMA user_version = 2'); {}db.commit(); db.close(); sys.exit(1)"
)


def test_a_first_install_says_what_comes_next_and_starts_nothing(machine: Machine) -> None:
    done = machine.install("--wheel", machine.wheel("1.0"))
    assert done.returncode == 0, done.stderr
    assert "Next: sudo edge-agent setup" in done.stderr
    assert (machine.version, machine.running) == ("1.0", None)


def test_an_upgrade_takes_the_new_version_and_keeps_configuration_and_data(machine: Machine) -> None:
    machine.install("--wheel", machine.wheel("1.0"))
    machine.configure()
    machine.write_database(schema=1, rows=3)
    done = machine.install("--wheel", machine.wheel("2.0"))
    assert done.returncode == 0, done.stderr
    assert (machine.version, machine.running, machine.database()) == ("2.0", "2.0", (1, 3))
    assert (machine.root / "etc/edge-agent/edge-agent.toml").read_text() == "[node]\n"


def test_the_same_once_more_changes_nothing(machine: Machine) -> None:
    wheel = machine.wheel("1.0")
    machine.install("--wheel", wheel)
    before = _tree(machine.root / "opt")
    done = machine.install("--wheel", wheel)
    assert done.returncode == 0
    assert "installed already" in done.stderr
    assert _tree(machine.root / "opt") == before


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"before_ready": "sys.exit(1)"}, "did not become ready: no such thing as a cold room"),
        ({"status": 4}, "sees no sign of life"),
    ],
)
def test_a_version_that_is_not_well_is_taken_back(machine: Machine, bad: dict[str, object], told: str) -> None:
    machine.install("--wheel", machine.wheel("1.0"))
    machine.configure()
    done = machine.install("--wheel", machine.wheel("2.0", **bad))
    assert done.returncode == 1
    assert told in done.stderr
    assert "version 1.0 runs on" in done.stderr
    assert (machine.version, machine.running) == ("1.0", "1.0")


def test_a_version_that_does_not_even_start_changes_nothing(machine: Machine) -> None:
    machine.install("--wheel", machine.wheel("1.0"))
    bad = machine.wheel("2.0")
    Path(bad).write_bytes(b"no wheel")
    done = machine.install("--wheel", bad)
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert machine.version == "1.0"


def test_going_back_brings_the_databases_back_as_they_were(machine: Machine) -> None:
    machine.install("--wheel", machine.wheel("1.0"))
    machine.configure()
    machine.write_database(schema=1, rows=3)
    done = machine.install("--wheel", machine.wheel("2.0", schema=2, before_ready=MIGRATE.format("")))
    assert done.returncode == 1
    assert "version 1.0 runs on" in done.stderr
    assert (machine.running, machine.database()) == ("1.0", (1, 3))
    assert not (machine.state / "before-upgrade").exists()


def test_what_the_new_version_accepted_is_never_thrown_away(machine: Machine) -> None:
    machine.install("--wheel", machine.wheel("1.0"))
    machine.configure()
    machine.write_database(schema=1, rows=3)
    accept = "db.execute('INSERT INTO telemetry VALUES (4)'); "
    done = machine.install("--wheel", machine.wheel("2.0", schema=2, before_ready=MIGRATE.format(accept)))
    assert done.returncode == 1
    assert "already accepted readings" in done.stderr
    assert (machine.version, machine.database()) == ("2.0", (2, 4))
    assert (machine.state / "before-upgrade" / "agent.db").exists()


def test_a_full_card_is_told_before_anything_changes(machine: Machine) -> None:
    machine.install("--wheel", machine.wheel("1.0"))
    before = _tree(machine.root / "opt")
    done = machine.install("--wheel", machine.wheel("2.0"), EDGE_AGENT_NEEDED_MB="99999999")
    assert done.returncode == 1
    assert "99999999 MB are needed" in done.stderr
    assert "Make room" in done.stderr
    assert _tree(machine.root / "opt") == before


def test_what_a_cut_left_half_made_is_swept_away(machine: Machine) -> None:
    half = machine.root / "opt/edge-agent/releases/2.0-cafecafe"
    half.mkdir(parents=True)
    machine.install("--wheel", machine.wheel("1.0"))
    assert not half.exists()


def test_a_try_that_was_cut_is_tried_again_with_the_way_back_open(machine: Machine) -> None:
    machine.install("--wheel", machine.wheel("1.0"))
    bad = machine.wheel("2.0", before_ready="sys.exit(1)")
    machine.install("--wheel", bad)  # not configured yet: taken without a try
    machine.configure()
    (machine.root / "opt/edge-agent/trying").touch()
    done = machine.install("--wheel", bad)
    assert done.returncode == 1
    assert (machine.version, machine.running) == ("1.0", "1.0")


def test_uninstall_leaves_configuration_and_data_and_purge_nothing(machine: Machine) -> None:
    untouched = _tree(machine.root)
    machine.install("--wheel", machine.wheel("1.0"))
    machine.configure()
    machine.write_database(schema=1, rows=3)
    machine.install("uninstall")
    assert machine.database() == (1, 3)
    assert (machine.root / "etc/edge-agent/edge-agent.toml").exists()
    assert not (machine.root / "opt/edge-agent").exists()
    assert machine.install("uninstall", "--purge").returncode == 0
    left = {path for path in _tree(machine.root) - untouched if not (machine.root / path).is_dir()}
    assert {path for path in left if "edge" in path} == set()


@pytest.mark.parametrize(
    ("words", "told"), [(("--wheel", "/no/such.whl"), "no such wheel"), (("--colour",), "--colour")]
)
def test_wrong_words_are_named(machine: Machine, words: tuple[str, ...], told: str) -> None:
    done = machine.install(*words)
    assert done.returncode == 1
    assert told in done.stderr


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts}
