"""`config check`, and what the other commands make of a configuration with faults."""

from pathlib import Path

import pytest

from edge_agent.cli.exits import Exit

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(path.relative_to(ROOT) for path in (ROOT / "config").rglob("*.toml"))
FAULTY = '[node]\nsite = "S 1"\nname = "a1"\ncolour = "red"\n\n[[sensor]]\nname = "x"\ndriver = "sht33"\n'


@pytest.fixture
def with_faults(tmp_path) -> Path:
    path = tmp_path / "faulty.toml"
    path.write_text(FAULTY)
    return path


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_configuration_we_ship_is_without_fault(call, sample) -> None:
    told = call("config", "check", ROOT / sample)
    assert told.code == Exit.OK, told
    assert "no fault" in told.out


def test_every_fault_is_told_at_once(call, with_faults) -> None:
    told = call("config", "check", with_faults)
    assert told.code == Exit.CONFIG
    for part in ("site", "S 1", "colour", "sht33", "sht3x", "faults"):
        assert part in told.out
    assert told.lines[-1] == f"{len(told.lines) - 1} faults"


def test_one_sensor_is_not_sensors(call, tmp_path) -> None:
    path = tmp_path / "one.toml"
    path.write_text('[node]\nsite = "s"\nname = "n"\n[[sensor]]\nname = "power"\ndriver = "power"\n')
    assert call("config", "check", path).out.endswith("board raspberry-pi, 1 sensor, 0 shelves\n")


def test_faults_as_json_name_file_line_and_key(call, with_faults) -> None:
    told = call("config", "check", with_faults, "--json")
    assert told.code == Exit.CONFIG
    assert {fault["line"] for fault in told.json} >= {2, 4}
    assert all(fault["file"] == str(with_faults) for fault in told.json)


def test_a_file_that_is_not_there_is_a_fault(call, tmp_path) -> None:
    told = call("config", "check", tmp_path / "none.toml")
    assert told.code == Exit.CONFIG
    assert "none.toml" in told.out


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("status",),
        ("sensors",),
        ("watch",),
        ("history", "a/temperature"),
        ("tare", "shelf-1"),
        ("zero", "shelf-1"),
        ("count", "shelf-1", "3"),
    ],
    ids=lambda words: words[0],
)
def test_every_command_refuses_a_configuration_with_faults(call, with_faults, words) -> None:
    told = call(*words, "--config", with_faults)
    assert told.code == Exit.CONFIG
    assert "colour" in told.err
    assert told.out == ""


def test_the_environment_names_the_configuration(call, healthy, monkeypatch) -> None:
    monkeypatch.setenv("EDGE_AGENT_CONFIG", str(healthy))
    assert call("status", "--json").json[0]["node"] == "a1"
