"""Real certificates made by openssl, and a real Mosquitto with one listener for each way a broker can be wrong."""

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PASSWD = shutil.which("mosquitto_passwd", path=f"{os.environ.get('PATH', '')}:/usr/bin")
OPENSSL = shutil.which("openssl")

CA = """
[ca]
default_ca = authority
[authority]
dir = {folder}
new_certs_dir = {folder}
database = {folder}/index
serial = {folder}/serial
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
policy = anything
unique_subject = no
[anything]
commonName = supplied
"""
LONG = ("20200101000000Z", "20900101000000Z")
EXPIRED = ("20200101000000Z", "20210101000000Z")
NOT_YET = ("20890101000000Z", "20900101000000Z")


@dataclass(frozen=True)
class Authority:
    folder: Path

    def sign(
        self, name: str, common_name: str, names: str = "", validity: tuple[str, str] = LONG
    ) -> tuple[Path, Path]:  # fmt: skip
        """(certificate, key)"""
        pem, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName = {names}\n" if names else "basicConstraints = CA:FALSE\n")
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", *new_key, "-subj", f"/CN={common_name}", "-keyout", key, "-out", request)
        start, end = validity
        dates = ("-startdate", start, "-enddate", end)
        config = ("-batch", "-notext", "-config", self.folder / "ca.cnf", "-extfile", extensions)
        openssl("ca", *config, *dates, "-in", request, "-out", pem)
        key.chmod(0o600)
        return pem, key


def openssl(*words: object) -> None:
    assert OPENSSL is not None
    done = subprocess.run([OPENSSL, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_authority(folder: Path, name: str) -> Authority:
    folder.mkdir()
    (folder / "index").touch()
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(CA.format(folder=folder))
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9000")
    openssl("req", "-x509", *new_key, "-subj", f"/CN={name}", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    return Authority(folder)


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    if OPENSSL is None:
        pytest.skip("OPENSSL IS NOT INSTALLED: the tests of certificates did not run")
    return make_authority(tmp_path_factory.mktemp("authority") / "ours", "Our authority")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory, authority) -> Authority:
    return make_authority(tmp_path_factory.mktemp("stranger") / "theirs", "Somebody else")


@dataclass
class Ports:
    by_name: dict[str, int] = field(default_factory=dict)

    def __getattr__(self, name: str) -> int:
        return self.by_name[name.replace("_", "-")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def brokers(tmp_path_factory, authority, stranger) -> Iterator[Ports]:
    """Listeners of one Mosquitto: plain, passwords, and TLS with every kind of certificate."""
    if MOSQUITTO is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed, and CI must not skip its tests")
        pytest.skip("MOSQUITTO IS NOT INSTALLED: the tests against a real broker did not run")
    folder, ports = tmp_path_factory.mktemp("brokers"), Ports()
    lines = ["per_listener_settings true", "log_dest none", f"user {getpass.getuser()}"]

    def listener(name: str, *more: str) -> None:
        ports.by_name[name] = free_port()
        lines.extend([f"listener {ports.by_name[name]} 127.0.0.1", *more])

    here = "DNS:localhost, IP:127.0.0.1"
    certificates = {
        "good": authority.sign("good", "localhost", here),
        "expired": authority.sign("expired", "localhost", here, EXPIRED),
        "not-yet": authority.sign("not-yet", "localhost", here, NOT_YET),
        "other-name": authority.sign("other-name", "broker.example", "DNS:broker.example"),
        "stranger": stranger.sign("good", "localhost", here),
    }
    listener("plain", "allow_anonymous true")
    (folder / "acl").write_text("user a1\ntopic readwrite storeroom/v1/elm-street/a1/#\nuser dumb\ntopic read none/#\n")
    assert PASSWD is not None
    for user in ("a1", "dumb"):
        new = [] if (folder / "passwd").exists() else ["-c"]
        subprocess.run([PASSWD, *new, "-b", folder / "passwd", user, "right"], check=True, capture_output=True)
    listener("passwords", f"password_file {folder / 'passwd'}", f"acl_file {folder / 'acl'}", "allow_anonymous false")
    for name, (pem, key) in certificates.items():
        listener(name, f"certfile {pem}", f"keyfile {key}", "allow_anonymous true")
    pem, key = certificates["good"]
    client = (f"cafile {authority.folder / 'ca.pem'}", "require_certificate true", "allow_anonymous true")
    listener("mutual", f"certfile {pem}", f"keyfile {key}", *client)
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    try:
        wait_until_open(list(ports.by_name.values()))
        yield ports
    finally:
        process.kill()
        process.wait(5)


def wait_until_open(ports: list[int]) -> None:
    pause, deadline = threading.Event(), time.monotonic() + 20
    for port in ports:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, f"mosquitto does not open port {port}"
            pause.wait(0.02)
