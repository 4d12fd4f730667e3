"""Which runtime is taken: asked in processes of their own, with stand-ins for packages in front of the real ones."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference.runtime import runtime_name

ROOT = Path(__file__).parents[2]
TELL = """
from edge_agent.inference.errors import NoRuntime
from edge_agent.inference.runtime import runtime_name
try:
    print(runtime_name())
except NoRuntime as error:
    print(error)
"""
# What tflite-runtime does with numpy 2: it imports, and fails when an interpreter is made.
BROKEN = """
class OpResolverType:
    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 3

class Interpreter:
    def __init__(self, **keys):
        raise ImportError("_ARRAY_API not found")
"""
GONE = 'raise ModuleNotFoundError("No module of this name")'
TOO_NEW = f"; it needs numpy below 2, here is {np.__version__}" if np.__version__[0] != "1" else ""
SOUND = """
class OpResolverType:
    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 3

class Interpreter:
    def __init__(self, **keys):
        assert keys["model_content"][4:8] == b"TFL3" and keys["num_threads"] == 1

    def allocate_tensors(self):
        pass
"""


@pytest.mark.parametrize(
    ("litert", "tflite", "says"),
    [
        (SOUND, SOUND, "ai-edge-litert"),
        (BROKEN, SOUND, "tflite-runtime"),
        (GONE, SOUND, "tflite-runtime"),
        (GONE, BROKEN, f"tflite_runtime: _ARRAY_API not found{TOO_NEW}): pip install 'edge-agent[models]'"),
        (BROKEN, GONE, "ai_edge_litert: _ARRAY_API not found; tflite_runtime: No module of this name): pip install"),
    ],
)
def test_the_first_that_makes_an_interpreter_is_taken(tmp_path: Path, litert: str, tflite: str, says: str) -> None:
    for package, text in (("ai_edge_litert", litert), ("tflite_runtime", tflite)):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / "interpreter.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n{TELL}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert says in done.stdout


def test_here_one_works() -> None:
    assert runtime_name() in ("ai-edge-litert", "tflite-runtime")
