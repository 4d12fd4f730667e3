"""A configuration read in a process of its own: what checks it would hold 7 MiB here for good."""

import pickle
import sys
from pathlib import Path

from edge_agent.config.document import load
from edge_agent.config.faults import ConfigError
from edge_agent.config.own_process import answer
from edge_agent.config.settings import Settings

_TELL = "import sys; from edge_agent.config import apart; apart.tell(sys.argv[1])"


def load_apart(path: str | Path) -> Settings:
    """As `load`; where no process is to be had the file is read here."""
    try:
        found: Settings | ConfigError = pickle.loads(answer(_TELL, str(path)))
    except (OSError, pickle.UnpicklingError, EOFError):
        return load(path)
    if isinstance(found, ConfigError):
        raise found
    return found


def tell(path: str) -> None:
    """The other side of `load_apart`."""
    found: Settings | ConfigError
    try:
        found = load(path)
    except ConfigError as error:
        found = error
    sys.stdout.buffer.write(pickle.dumps(found))
