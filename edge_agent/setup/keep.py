"""Writing a configuration so that a power cut leaves the old one or the new one, and nothing good is lost."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from edge_agent.config import ConfigError, Settings, load

MODE = 0o644  # secrets are in files of their own


def checked(text: str, path: Path) -> Settings:
    """The settings of a text not at its place yet, the files it names included. Raises ConfigError naming ``path``."""
    with tempfile.TemporaryDirectory(prefix="edge-agent-setup-") as folder:
        draft = Path(folder) / path.name
        draft.write_text(text, "utf-8")
        try:
            return load(draft)
        except ConfigError as error:
            raise ConfigError([replace(fault, file=str(path)) for fault in error.faults]) from error


def copy_name(path: Path, at: datetime) -> Path:
    """
    >>> copy_name(Path("/etc/a.toml"), datetime(2026, 11, 23, 7, 5, 9)).name
    'a.toml.before-20261123-070509'
    """
    return path.with_name(f"{path.name}.before-{at:%Y%m%d-%H%M%S}")


def put(text: str, path: Path, copy: Path | None, sync: Callable[[int], None] = os.fsync) -> None:
    """The whole text at ``path``, or what was there before; that one stays as ``copy``. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if copy is not None:
        shutil.copy2(path, copy)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), MODE)
            sync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent, sync)


def _sync_folder(folder: Path, sync: Callable[[int], None]) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(handle)
    finally:
        os.close(handle)
