"""What takes many MiB for a moment is done in a process of its own: here it would hold them for good."""

import os
import subprocess
import sys

PATIENCE_S = 60.0  # a Pi that does much else


def answer(script: str, *words: str) -> bytes:
    """What a Python ``script`` writes, which finds the modules that are found here. Raises OSError, whatever fails."""
    paths = os.pathsep.join(filter(None, sys.path))  # the package's launcher names its libraries there alone
    try:
        done = subprocess.run(
            [sys.executable, "-sP", "-c", script, *words],
            capture_output=True,
            env=os.environ | {"PYTHONPATH": paths},
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"no answer within {PATIENCE_S:g} s") from error
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or f"exit {done.returncode}")
    return done.stdout
