"""Whether a directory lies on a disk: bytes written into memory are counted as none."""

import os
from pathlib import Path

from chaos_parts.children import CampaignError

IN_MEMORY = ("tmpfs", "ramfs", "overlay")


def file_system(directory: Path) -> str:
    """Its type, from the longest mount point that holds the directory."""
    real = os.path.realpath(directory)
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        point = mount.replace("\\040", " ")
        holds = real == point or real.startswith(point.rstrip("/") + "/")
        if holds and len(point) > len(best[0]):
            best = (point, kind)
    return best[1]


def require_disk(directory: Path) -> str:
    kind = file_system(directory)
    if kind in IN_MEMORY:
        raise CampaignError(f"{directory} is {kind}: give --directory on a disk, or nothing is written")
    return kind
