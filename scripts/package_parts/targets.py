"""For which machines there are packages, and what pip and Debian call them."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    debian: str  # dpkg --print-architecture
    machine: str  # uname -m, and in the names of wheels


@dataclass(frozen=True, slots=True)
class Release:
    codename: str
    number: int
    python: tuple[int, int]
    glibc_minor: int  # of glibc 2.x: wheels for newer ones do not run there


ARCHITECTURES: Mapping[str, Architecture] = {
    found.debian: found
    for found in (Architecture("arm64", "aarch64"), Architecture("amd64", "x86_64"), Architecture("armhf", "armv7l"))
}
RELEASES: Mapping[str, Release] = {
    found.codename: found for found in (Release("bookworm", 12, (3, 11), 36), Release("trixie", 13, (3, 13), 41))
}


@dataclass(frozen=True, slots=True)
class Target:
    architecture: Architecture
    release: Release

    @property
    def python(self) -> str:
        """
        >>> Target(ARCHITECTURES["arm64"], RELEASES["trixie"]).python
        '3.13'
        """
        return ".".join(map(str, self.release.python))

    @property
    def platforms(self) -> tuple[str, ...]:
        """The tags of wheels that run there (PEP 600, and the older name of its glibc 2.17)."""
        machine = self.architecture.machine
        minors = range(self.release.glibc_minor, 4, -1)
        legacy = ("manylinux2014", "manylinux2010", "manylinux1") if machine == "x86_64" else ("manylinux2014",)
        return tuple(f"manylinux_2_{minor}_{machine}" for minor in minors) + tuple(f"{tag}_{machine}" for tag in legacy)


def this_architecture() -> str:
    found = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def from_debian(target: Target) -> Mapping[str, str]:
    """Requirements that have no wheel for the target: Debian's packages take their place.

    >>> from_debian(Target(ARCHITECTURES["arm64"], RELEASES["trixie"]))
    {'lgpio': 'python3-lgpio'}
    >>> from_debian(Target(ARCHITECTURES["arm64"], RELEASES["bookworm"]))
    {}
    """
    return {"lgpio": "python3-lgpio"} if target.release.python >= (3, 13) else {}
