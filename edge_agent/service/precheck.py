"""What can be said about a configuration before it is put to work, beyond its words: the files it names."""

import os
from collections.abc import Iterator
from pathlib import Path

from edge_agent.config import Settings
from edge_agent.mqtt.connection import password, tls_context


def unusable(wanted: Settings, present: Settings) -> list[str]:
    """Why it would not do, one sentence each. The present directory is not looked at: its card may be at fault."""
    found = [] if wanted.storage.directory == present.storage.directory else [*_directory(wanted)]
    return [*found, *_credentials(wanted)]


def _directory(wanted: Settings) -> Iterator[str]:
    path = Path(wanted.storage.directory)
    nearest = next((part for part in (path, *path.parents) if part.exists()), path)
    key = f'storage.directory = "{path}"'
    if not nearest.is_dir():
        yield f"{key}: {nearest} is no directory: must be one that the agent may write to"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield f"{key}: the agent may not write to {nearest}: must be a directory that it may write to"


def _credentials(wanted: Settings) -> Iterator[str]:
    mqtt = wanted.mqtt
    try:
        password(mqtt)
        if mqtt.tls is not None:
            tls_context(mqtt.tls)
    except (OSError, ValueError) as error:
        yield str(error)
