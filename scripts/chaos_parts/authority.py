"""Certificates for one afternoon: an authority, a good server, and servers nobody should believe."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

_CONFIG = """
[ca]
default_ca = here
[here]
new_certs_dir = {folder}
database = {folder}/index
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = supplied
"""


def make(folder: Path) -> None:
    """``ca``, ``good``, ``other-name`` and ``expired`` of one authority; ``stranger`` of another: .crt and .key."""
    folder.mkdir()
    for name in ("ca", "other-ca"):
        _key(folder, name)
        _openssl("req", "-x509", "-new", "-key", _at(folder, name, "key"), "-days", "2", *_subject(folder, name))
    today, day = datetime.now(UTC), timedelta(days=1)
    valid, over = (today - day, today + 2 * day), (today - 9 * day, today - day)
    sign(folder, "good", "ca", "localhost", valid)
    sign(folder, "other-name", "ca", "elsewhere.example", valid)
    sign(folder, "expired", "ca", "localhost", over)
    sign(folder, "stranger", "other-ca", "localhost", valid)


def sign(folder: Path, name: str, authority: str, host: str, period: tuple[datetime, datetime]) -> None:
    _key(folder, name)
    request, extra, config = folder / f"{name}.csr", folder / f"{name}.ext", folder / "ca.cnf"
    _openssl("req", "-new", "-key", _at(folder, name, "key"), "-subj", f"/CN={name}", "-out", str(request))
    extra.write_text(f"subjectAltName=DNS:{host}\n")
    config.write_text(_CONFIG.format(folder=folder))
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    begin, end = (f"{moment:%Y%m%d%H%M%SZ}" for moment in period)
    _openssl(
        *("ca", "-batch", "-notext", "-config", str(config), "-in", str(request), "-out", _at(folder, name, "crt")),
        *("-cert", _at(folder, authority, "crt"), "-keyfile", _at(folder, authority, "key")),
        *("-extfile", str(extra), "-startdate", begin, "-enddate", end),
    )


def _key(folder: Path, name: str) -> None:
    _openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", _at(folder, name, "key"))


def _subject(folder: Path, name: str) -> tuple[str, ...]:
    return "-subj", f"/CN={name}", "-out", _at(folder, name, "crt")


def _at(folder: Path, name: str, suffix: str) -> str:
    return str(folder / f"{name}.{suffix}")


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
