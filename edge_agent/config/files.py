"""The files a configuration names: there, readable, and secrets for nobody else."""

import os
import re
import stat

from edge_agent.config.faults import Found, Path, look_up
from edge_agent.config.tables import Document

# Where files are named, and whether one is a secret.
_NAMED: tuple[tuple[Path, bool], ...] = (
    (("mqtt", "password_file"), True),
    (("mqtt", "tls", "ca_file"), False),
    (("mqtt", "tls", "cert_file"), False),
    (("mqtt", "tls", "key_file"), True),
)


# What is left of a variable that is not set.
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)
_HINTS = {"CREDENTIALS_DIRECTORY": ": systemd sets it for a unit with LoadCredential="}


def faults_of_files(document: Document) -> list[Found]:
    named = ((path, look_up(document, path), is_secret) for path, is_secret in _NAMED)
    faults = (_fault(path, name, is_secret=is_secret) for path, name, is_secret in named if isinstance(name, str))
    return [fault for fault in faults if fault is not None]


def _fault(path: Path, written: str, *, is_secret: bool) -> Found | None:
    name = os.path.expandvars(written)  # as the connection does when it opens the file
    unset = _VARIABLE.search(name)
    if unset is not None:
        return Found(path, f"must not name {unset[0]}, which is not set here{_HINTS.get(unset[1] or unset[2], '')}")
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        return Found(path, "must be a file that exists (a relative path starts in the working directory)")
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        return Found(path, f"must be a file that the agent's user can read: {error}")
    if not stat.S_ISREG(mode):
        return Found(path, "must be a file, not a directory or a device")
    if not os.access(name, os.R_OK):
        return Found(path, "must be a file that the agent's user can read")
    if is_secret and mode & stat.S_IRWXO:
        return Found(path, f"must be closed to other users, and its mode is {stat.S_IMODE(mode):04o}: chmod o= {name}")
    return None
