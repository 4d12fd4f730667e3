"""Lays a package out in a folder, as it will lie on the machine, and has dpkg-deb pack it."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from email.utils import formatdate
from pathlib import Path

from package_parts import site
from package_parts.errors import PackageError
from package_parts.targets import Target, from_debian

ROOT = site.ROOT
DEPLOY = ROOT / "deploy"
HOME = Path("usr/lib/edge-agent")
DOC = Path("usr/share/doc/edge-agent")
MAINTAINER = "The edge_agent authors <edge-agent@localhost>"
MAINTAINER_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")

# where it stands in the sources -> where it lies on the machine
FILES = {
    "deploy/systemd/edge-agent.service": "usr/lib/systemd/system/edge-agent.service",
    "deploy/systemd/sysusers.conf": "usr/lib/sysusers.d/edge-agent.conf",
    "deploy/systemd/tmpfiles.conf": "usr/lib/tmpfiles.d/edge-agent.conf",
    "deploy/systemd/60-edge-agent.rules": "usr/lib/udev/rules.d/60-edge-agent.rules",
    "deploy/systemd/modules-load.conf": "usr/lib/modules-load.d/edge-agent.conf",
    "deploy/upgrade.py": f"{HOME}/upgrade.py",
    "config/edge-agent.toml": f"{DOC}/examples/edge-agent.toml",
    "config/simulated.toml": f"{DOC}/examples/simulated.toml",
    "deploy/debian/copyright": f"{DOC}/copyright",
    "docs/deployment.md": f"{DOC}/deployment.md",
    "docs/first-evening.md": f"{DOC}/first-evening.md",
}
BACKOFF = ("deploy/systemd/backoff.conf", "usr/lib/systemd/system/edge-agent.service.d/backoff.conf")
BACKOFF_SINCE_RELEASE = 13  # systemd 254; the one before would warn of keys it does not know
LAUNCHER = ("deploy/debian/edge-agent", "usr/bin/edge-agent")


def build(target: Target, out: Path, *, wheels: Path | None, is_latest: bool, version: str | None) -> Path:
    """Answers the package's path. Raises PackageError."""
    if shutil.which("dpkg-deb") is None:
        raise PackageError("dpkg-deb is missing: build on Debian, Raspberry Pi OS or Ubuntu")
    epoch_s = source_date_epoch()
    name = f"{version or _version()}+deb{target.release.number}"
    with tempfile.TemporaryDirectory(prefix="edge-agent-package-") as folder:
        root = Path(folder, "root")
        lib = root / HOME / "site"
        lib.mkdir(parents=True)
        site.fill(lib, target, Path(folder), wheels=wheels, is_latest=is_latest, version=version)
        files = FILES | ({BACKOFF[0]: BACKOFF[1]} if target.release.number >= BACKOFF_SINCE_RELEASE else {})
        for source, place in files.items():
            put(ROOT / source, root / place, 0o644)
        put(ROOT / LAUNCHER[0], root / LAUNCHER[1], 0o755)
        _compress(_changelog(name, target, epoch_s), root / DOC / "changelog.gz")
        _compress((ROOT / "CHANGELOG.md").read_text(), root / DOC / "CHANGELOG.md.gz")
        settle(root, epoch_s)
        site.compile_to(lib, target)
        _write_control(root, target, name)
        settle(root, epoch_s)
        out.mkdir(parents=True, exist_ok=True)
        package = out / f"edge-agent_{name}_{target.architecture.debian}.deb"
        pack(root, package, epoch_s)
    return package


def control(target: Target, version: str, installed_kib: int) -> str:
    major, minor = target.release.python
    depends = [
        f"python3 (>= {major}.{minor}~)",
        f"python3 (<< {major}.{minor + 1}~)",
        "libc6 (>= 2.36)",
        "systemd | systemd-standalone-sysusers",
        "systemd | systemd-standalone-tmpfiles",
        *from_debian(target).values(),
    ]
    template = (DEPLOY / "debian" / "control.in").read_text()
    return template.format(
        version=version,
        architecture=target.architecture.debian,
        installed_kib=installed_kib,
        depends=", ".join(depends),
        maintainer=MAINTAINER,
    )


def _write_control(root: Path, target: Target, version: str) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    folder = root / "DEBIAN"
    folder.mkdir()
    kib = sum(-(-path.stat().st_size // 1024) for path in files)
    (folder / "control").write_text(control(target, version, kib))
    sums = (
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in files
    )
    (folder / "md5sums").write_text("".join(sums))
    for name in MAINTAINER_SCRIPTS:
        put(DEPLOY / "debian" / name, folder / name, 0o755)


def put(source: Path, place: Path, mode: int) -> None:
    if not source.is_file():
        raise PackageError(f"{source} is missing: the sources are not whole")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    place.chmod(mode)


def _changelog(version: str, target: Target, epoch_s: int) -> str:
    """What Debian's tools want to read; people read CHANGELOG.md."""
    return (
        f"edge-agent ({version}) {target.release.codename}; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n"
        f" -- {MAINTAINER}  {formatdate(epoch_s)}\n"
    )


def _compress(text: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(gzip.compress(text.encode(), mtime=0))
    place.chmod(0o644)


def settle(root: Path, epoch_s: int) -> None:
    """One time, and modes that do not depend on the umask of who builds."""
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_symlink():
            continue
        is_runnable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if is_runnable else 0o644)
        os.utime(path, (epoch_s, epoch_s))
    root.chmod(0o755)
    os.utime(root, (epoch_s, epoch_s))


def pack(root: Path, package: Path, epoch_s: int) -> None:
    unfinished = package.with_suffix(".unfinished")
    done = subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", str(root), str(unfinished)],
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch_s)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        raise PackageError(f"dpkg-deb: {done.stderr.strip()}")
    unfinished.replace(package)


def _version() -> str:
    found = re.search(r'^__version__ = "([^"]+)"', (ROOT / "edge_agent" / "__init__.py").read_text(), re.MULTILINE)
    if found is None:
        raise PackageError("edge_agent/__init__.py: no __version__")
    return found[1]


def source_date_epoch() -> int:
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is not None:
        if not told.isdecimal():
            raise PackageError(f"SOURCE_DATE_EPOCH = {told!r}: must be whole seconds since 1970")
        return int(told)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else 0
