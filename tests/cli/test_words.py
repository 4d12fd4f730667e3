"""The words of the command line: help that teaches, examples that parse, wrong words, readers that go away."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.cli.exits import EXITS, Exit
from edge_agent.cli.main import COMMANDS, main, parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "config").rglob("*.toml"))]


def _help(*words: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return out.getvalue()


def _examples(text: str) -> list[str]:
    """Command lines of ours in a text: what stands after a prompt or an indent, up to a pipe or a redirection."""
    found = []
    for line in text.splitlines():
        match = re.match(r"[#\s$]*(?:\.venv/bin/)?edge-agent (.+)", line)
        if match:
            command = re.split(r"\s+[|>#]|\s{3,}", match.group(1))[0]
            found.append(command)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_example(name) -> None:
    text = _help(name)
    examples = [example for example in _examples(text) if example.split()[0] == name]
    assert examples, text
    for example in examples:
        parser().parse_args(shlex.split(example))


def test_the_general_help_names_commands_examples_and_exit_codes() -> None:
    text = _help()
    assert all(name in text for name in COMMANDS)
    assert all(f"{code.value}  {words}" in text for code, words in EXITS.items())
    for example in _examples(text):
        parser().parse_args(shlex.split(example))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_command_lines_in_the_documents_parse(document) -> None:
    for example in _examples(document.read_text()):
        if "..." not in example:
            parser().parse_args(shlex.split(example))


def test_the_readme_shows_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`edge-agent {name}" not in text and f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("dance",),
        ("status", "--colour"),
        ("config",),
        ("config", "mend", "x.toml"),
        ("tare",),
        ("count", "shelf-1"),
        ("count", "shelf-1", "many"),
        ("tare", "shelf-1", "--container-g", "heavy"),
        ("history",),
        ("replay",),
        ("watch", "--for", "ever"),
        ("bench", "--seconds", "x"),
        ("bench", "--seconds", "nan"),
        ("bench", "--seconds", "inf"),
        ("bench", "--seconds", "0"),
        ("bench", "--seconds", "-1"),
        ("run", "--for", "nan"),
        ("watch", "--for", "-1"),
        ("watch", "--patience", "nan"),
        ("watch", "--node", "a/+#"),
        ("watch", "--site", "#"),
        ("status", "--state", "/dev/null"),
    ],
    ids=" ".join,
)
def test_wrong_words_are_explained(words, call) -> None:
    told = call(*words)
    assert told.code == Exit.USAGE
    assert "usage: edge-agent" in told.err
    assert "error:" in told.err


def test_a_command_imports_its_own_module_and_no_other() -> None:
    code = "import sys; from edge_agent.cli.main import parser; parser('config'); print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "edge_agent.cli.config" in loaded
    assert not {"paho.mqtt.client", "edge_agent.cli.watch", "edge_agent.cli.bench", "hardware_mocks"} & set(loaded)


@pytest.mark.parametrize("lines", [0, 1])
def test_a_reader_that_goes_away_is_no_fault(healthy, lines) -> None:
    """Whether it goes before the first byte is written, or after; output that waits for the end is buffered."""
    command = [sys.executable, "-m", "edge_agent.cli.main", "history", "scale-1/counts", "--config", str(healthy)]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered)
    for _ in range(lines):
        process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(20), err) == (Exit.OK, b"")
