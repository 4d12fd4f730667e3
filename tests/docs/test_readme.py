"""The commands of the README run as they are written.

A block below ``<!-- not run by the tests: why -->`` is left out; all the others are one session in one shell.
"""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.cli.main import COMMANDS, parser

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"(?:<!-- not run by the tests: (?P<why>[^\n]+) -->\n)?```[a-z]*\n(?P<text>.*?)```", re.DOTALL)
# What the documented recordings look like: stamps on the quarter, ten probes of which some say nothing.
SAVERIS = "date,hour,a,b,c,d,e,f,g,h,i,j\n" + "".join(
    f"24/06/21,10:{minute:02d}:00,4.0,###,-20.5,,1,2,3,4,5,6\n" for minute in (0, 15, 30, 45)
)


def blocks() -> list[tuple[str | None, str]]:
    """Why it is not run, and the block."""
    found = [(match["why"], match["text"]) for match in BLOCK.finditer(README)]
    assert 2 * len(found) == README.count("```"), "every block is understood"
    return found


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A directory as it is after `scripts/setup`: the environment that it makes has this interpreter."""
    for name in ("config", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
    (programs / "edge-agent").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edge_agent.cli.main "$@"\n')
    (programs / "edge-agent").chmod(0o755)
    with gzip.open(tmp_path / "saveris_values.csv.gz", "wt") as file:
        file.write(SAVERIS)
    return tmp_path


def test_every_block_that_can_run_quickly_runs(fresh: Path) -> None:
    script = "".join(text for why, text in blocks() if why is None)
    assert script.count("\nedge-agent ") >= 2
    elsewhere = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(fresh)}
    shell = ["bash", "-euxo", "pipefail", "-c", script]
    told = subprocess.run(shell, cwd=fresh, env=elsewhere, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    assert (fresh / "messages.jsonl").stat().st_size > 0


def test_every_command_of_a_block_that_is_not_run_is_understood() -> None:
    lines = [line.split("#")[0].split() for why, text in blocks() if why for line in text.splitlines()]
    commands = [words[1:] for words in lines if words and words[0] == "edge-agent"]
    assert commands
    for words in commands:
        parser(words[0]).parse_args(words)
    scripts = [words[0] for words in lines if words and words[0].startswith("scripts/")]
    assert scripts
    for script in scripts:
        assert os.access(ROOT / script, os.X_OK), script


def test_no_block_calls_a_command_that_was_not_made_before() -> None:
    """Nothing but `. .venv/bin/activate` makes `edge-agent` a command."""
    session = "".join(text for _, text in blocks())
    assert session.index(". .venv/bin/activate") < session.index("edge-agent ")


def test_the_commands_without_json_are_those_that_the_readme_names(capsys: pytest.CaptureFixture[str]) -> None:
    below = {"config": ["check"], "import": ["sales"]}  # of these the option is one level down

    def has_json(name: str) -> bool:
        words = (name, *below.get(name, ()), "--help")
        with pytest.raises(SystemExit):
            parser(name).parse_args(words)
        return "--json" in capsys.readouterr().out

    assert [name for name in COMMANDS if not has_json(name)] == ["run"]
    assert "With `--json`, which all but `run` have," in README
