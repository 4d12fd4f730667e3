"""A configuration read by another process is the same, and so are its faults; the checker stays over there."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.config import ConfigError, load, load_apart
from edge_agent.config.own_process import answer

SAMPLE = Path(__file__).parents[2] / "config" / "edge-agent.toml"


@pytest.mark.parametrize("name", ["edge-agent.toml", "simulated.toml"])
def test_the_settings_are_the_same(name):
    path = SAMPLE.with_name(name)
    assert load_apart(path) == load(path)


UNKNOWN_DRIVER = "[node]\nsite = 's'\nname = 'a'\n[[sensor]]\nname = 'x'\ndriver = 'shd'\n"


@pytest.mark.parametrize("text", ["", "[node]\nsite = 4\n", "[node\n", UNKNOWN_DRIVER])
def test_the_faults_are_the_same(tmp_path, text):
    path = tmp_path / "faulty.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as here:
        load(path)
    with pytest.raises(ConfigError) as apart:
        load_apart(path)
    assert apart.value.faults == here.value.faults
    assert str(apart.value) == str(here.value)


def test_a_file_that_is_not_there_is_a_fault_as_well(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load_apart(tmp_path / "none.toml")


def test_what_checks_it_is_never_loaded_here():
    script = (
        "import sys; from edge_agent.config import load_apart; import edge_agent.cli.run\n"
        "load_apart(sys.argv[1]); print('pydantic' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script, SAMPLE], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False"]


def test_where_no_process_is_to_be_had_it_is_read_here(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    assert load_apart(SAMPLE) == load(SAMPLE)


def test_a_script_finds_the_modules_that_are_found_here(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("WORD = 'found'")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert answer("import only_here; print(only_here.WORD)") == b"found\n"


@pytest.mark.parametrize(("script", "words"), [("import sys; sys.exit(3)", "exit 3"), ("1 / 0", "division by zero")])
def test_a_script_that_fails_says_why(script, words):
    with pytest.raises(OSError, match=words):
        answer(script)
