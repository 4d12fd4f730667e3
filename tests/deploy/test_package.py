"""scripts/package: what it asks pip for, what it tells Debian, and the same bytes each time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from package_parts import build, pip_for, site
from package_parts.errors import PackageError
from package_parts.targets import ARCHITECTURES, RELEASES, Target

ARM64 = Target(ARCHITECTURES["arm64"], RELEASES["bookworm"])
TRIXIE = Target(ARCHITECTURES["arm64"], RELEASES["trixie"])


def test_the_package_wants_exactly_the_python_its_libraries_were_made_for() -> None:
    depends = _fields(build.control(ARM64, "1.2+deb12", 10))["Depends"]
    assert "python3 (>= 3.11~), python3 (<< 3.12~)" in depends


def test_what_has_no_wheel_comes_from_debian() -> None:
    assert "python3-lgpio" in _fields(build.control(TRIXIE, "1.2+deb13", 10))["Depends"]
    assert not any(found.startswith("lgpio") for found in site.requirements(TRIXIE))
    assert any(found.startswith("lgpio") for found in site.requirements(ARM64))


def test_each_release_of_debian_has_a_version_of_its_own() -> None:
    fields = _fields(build.control(TRIXIE, "1.2+deb13", 10))
    assert (fields["Version"], fields["Architecture"]) == ("1.2+deb13", "arm64")


def test_wheels_for_a_newer_glibc_than_the_release_has_are_not_taken() -> None:
    assert "manylinux_2_36_aarch64" in ARM64.platforms
    assert "manylinux_2_39_aarch64" not in ARM64.platforms
    assert "manylinux_2_39_aarch64" in TRIXIE.platforms


@pytest.mark.parametrize(("machine", "python"), [("aarch64", "3.13"), ("armv7l", "3.11")])
def test_markers_are_read_for_the_target(tmp_path: Path, machine: str, python: str) -> None:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(
        f"nowhere-to-be-found ; platform_machine != '{machine}'\n"
        f"nor-this ; python_version != '{python}'\n"
        f"but-this-is-asked-for ; platform_machine == '{machine}' and python_version == '{python}'\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, str(Path(pip_for.__file__)), machine, python, "install", "--isolated", "--no-index"),
            *("--only-binary=:all:", "--target", str(tmp_path), "-r", str(wanted)),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "No matching distribution found for but-this-is-asked-for" in done.stderr
    assert "Ignoring nowhere-to-be-found" in done.stdout
    assert "Ignoring nor-this" in done.stdout


def test_the_same_tree_gives_the_same_bytes_whoever_builds_it(tmp_path: Path) -> None:
    packages = []
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        try:
            root = tmp_path / str(number)
            (root / "usr/bin").mkdir(parents=True)
            (root / "usr/bin/edge-agent").write_text("#!/bin/sh\n")
            (root / "DEBIAN").mkdir()
            (root / "DEBIAN/control").write_text(build.control(ARM64, "1.2+deb12", 1))
        finally:
            os.umask(before)
        os.utime(root / "usr/bin/edge-agent", (number, number))
        build.settle(root, 1_700_000_000)
        build.pack(root, tmp_path / f"{number}.deb", 1_700_000_000)
        packages.append((tmp_path / f"{number}.deb").read_bytes())
    assert packages[0] == packages[1]


def test_the_models_go_into_the_package_and_what_trains_them_does_not(tmp_path: Path) -> None:
    root = Path(site.ROOT)
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)],
        cwd=root, capture_output=True, check=True,
    )  # fmt: skip
    shipped = {file.name: file.read_bytes() for folder in [root / "models"] for file in folder.glob("*.*")}
    assert {Path(name).suffix for name in shipped} == {".json", ".tflite"}
    placed = {str(file.relative_to(tmp_path / "edge_agent/_models")): file.read_bytes()
              for file in (tmp_path / "edge_agent/_models").rglob("*")}  # fmt: skip
    assert placed == shipped


def test_the_package_takes_the_models_and_their_runtime() -> None:
    assert {"models", "setup.py"} <= set(site.SOURCES)
    assert any(found.startswith("ai-edge-litert") for found in site.requirements(ARM64))


def test_sources_that_are_not_whole_are_told(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="missing"):
        build.put(tmp_path / "nothing", tmp_path / "there", 0o644)


@pytest.mark.parametrize("told", ["yesterday", "-1", "1.5"])
def test_an_epoch_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", told)
    with pytest.raises(PackageError, match="whole seconds since 1970"):
        build.source_date_epoch()


def test_every_file_that_goes_into_the_package_is_there() -> None:
    for source in (*build.FILES, build.BACKOFF[0], build.LAUNCHER[0]):
        assert (build.ROOT / source).is_file(), source


def _fields(control: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in control.splitlines() if not line.startswith(" "))
