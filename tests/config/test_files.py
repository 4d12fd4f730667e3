"""The file itself, and the files it names."""

import os
import re
import threading
from pathlib import Path

import pytest

from edge_agent.config import ConfigError, ConfigFault, load

NODE = '[node]\nsite = "s"\nname = "n"\n[[sensor]]\nname = "power"\ndriver = "power"\n'
as_root = os.geteuid() == 0


def faults_of(path: Path) -> tuple[ConfigFault, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    return caught.value.faults


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "is empty"),
        (b"\n\n", None, "is empty"),
        ('name = "Käse"'.encode("latin-1"), 1, "is not UTF-8: byte 0xe4"),
        (b"[node]\nname = '\xff'", 2, "is not UTF-8: byte 0xff"),
        (NODE.encode("utf-16"), None, "is UTF-16: save it as UTF-8"),
        (b"# \n" * 400_000, None, "is larger than 1024 KiB"),
        (b"\x7fELF\x02\x01", 1, "not TOML"),
        (b"node:\n  site: s\n", 1, "joined by ="),
        (b'{"node": {"site": "s"}}', 1, "not TOML"),
    ],
)
def test_a_file_that_is_no_configuration_says_so(tmp_path, content, line, words):
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    (fault,) = faults_of(path)
    assert (fault.file, fault.line) == (str(path), line)
    assert words in str(fault)


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"], ids=["without", "with a byte-order mark"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_editors_on_other_systems_write_is_read(tmp_path, before, newline):
    path = tmp_path / "a.toml"
    path.write_bytes(before + NODE.replace("\n", newline).encode())
    assert load(path).node.site == "s"


def test_lines_are_right_with_the_line_ends_of_other_systems(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes((NODE + "interval_s = 0\n").replace("\n", "\r\n").encode())
    assert [fault.line for fault in faults_of(path)] == [7]


def test_no_file_a_directory_and_an_impossible_name_are_told(tmp_path):
    for path, words in (
        (tmp_path / "none.toml", "there is no such file"),
        (tmp_path, "is a directory"),
        (Path("a\0b"), "cannot be read"),
        (tmp_path / ("n" * 300), "cannot be read"),
    ):
        (fault,) = faults_of(path)
        assert words in fault.right


@pytest.mark.skipif(as_root, reason="root can read everything")
def test_a_file_of_somebody_else_is_told(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(NODE)
    path.chmod(0)
    (fault,) = faults_of(path)
    assert "cannot be read by this user" in fault.right


def test_a_pipe_is_read_like_a_file(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(NODE,))
    writer.start()
    assert load(path).node.name == "n"
    writer.join()


SECRET = 0o600
CASES = [
    ("all there", {"ca_file": 0o644, "cert_file": 0o644, "key_file": SECRET}, {}),
    ("group may read the key", {"cert_file": 0o644, "key_file": 0o640}, {}),
    ("no authority", {"ca_file": None}, {"mqtt.tls.ca_file": "must be a file that exists"}),
    ("no certificate", {"cert_file": None, "key_file": SECRET}, {"mqtt.tls.cert_file": "must be a file that exists"}),
    ("key for everybody", {"cert_file": 0o644, "key_file": 0o644}, {"mqtt.tls.key_file": r"0644: chmod o= \S+"}),
    ("password for everybody", {"password_file": 0o604}, {"mqtt.password_file": "mode is 0604"}),
    (
        "nothing there",
        {"password_file": None, "ca_file": None, "cert_file": None, "key_file": None},
        dict.fromkeys(("mqtt.password_file", "mqtt.tls.ca_file", "mqtt.tls.cert_file", "mqtt.tls.key_file"), "exists"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_files_of_the_broker_are_looked_at(tmp_path, files, expected):
    path = tmp_path / "a.toml"
    path.write_text(NODE + tls_tables(tmp_path, files))
    if not expected:
        assert load(path).mqtt.tls is not None
        return
    faults = faults_of(path)
    assert {fault.key for fault in faults} == set(expected)
    for fault in faults:
        assert re.search(expected[fault.key], fault.right)
        assert fault.line is not None
        assert fault.key.rpartition(".")[2] in path.read_text().splitlines()[fault.line - 1]


def tls_tables(directory: Path, files: dict[str, int | None]) -> str:
    """The tables that name these files, which exist with these modes."""
    lines = {"mqtt": [], "tls": []}
    for key, mode in files.items():
        file = directory / key
        if mode is not None:
            file.write_text("x")
            file.chmod(mode)
        lines["mqtt" if key == "password_file" else "tls"].append(f'{key} = "{file}"')
    return "\n".join(["[mqtt]", *lines["mqtt"], "[mqtt.tls]", *lines["tls"], ""])


def test_a_credential_of_systemd_is_looked_at_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "mqtt-password").write_text("x")
    (tmp_path / "mqtt-password").chmod(0o400)
    path = tmp_path / "a.toml"
    path.write_text(f'{NODE}[mqtt]\npassword_file = "$CREDENTIALS_DIRECTORY/mqtt-password"\n')
    assert load(path).mqtt.password_file == "$CREDENTIALS_DIRECTORY/mqtt-password"
    path.write_text(path.read_text().replace("mqtt-password", "${CREDENTIALS_DIRECTORY}x"))
    (fault,) = faults_of(path)
    assert fault.right.startswith("must be a file that exists")


@pytest.mark.parametrize("written", ["$CREDENTIALS_DIRECTORY/key", "/run/${CREDENTIALS_DIRECTORY}/key"])
def test_a_variable_that_is_not_set_is_named(tmp_path, monkeypatch, written):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = tmp_path / "a.toml"
    path.write_text(f'{NODE}[mqtt]\npassword_file = "{written}"\n')
    (fault,) = faults_of(path)
    assert "CREDENTIALS_DIRECTORY" in fault.right
    assert fault.right.endswith("which is not set here: systemd sets it for a unit with LoadCredential=")


def test_a_directory_for_a_file_is_told(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(f'{NODE}[mqtt.tls]\nca_file = "{tmp_path}"\n')
    (fault,) = faults_of(path)
    assert fault.right == "must be a file, not a directory or a device"


def test_faults_of_text_and_of_files_are_told_together(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(f'{NODE}interval_s = 0\n[mqtt]\nport = 0\n[mqtt.tls]\nca_file = "{tmp_path}/none"\n')
    assert [fault.key for fault in faults_of(path)] == ["sensor[1].interval_s", "mqtt.port", "mqtt.tls.ca_file"]
