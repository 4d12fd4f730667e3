"""The interpreter: ai-edge-litert, or tflite-runtime where only that exists (32-bit ARM, Python 3.11).

Importing it proves nothing: tflite-runtime with numpy 2 imports, and fails when an interpreter is made. So one is made.
"""

import base64
import importlib
from collections.abc import Iterator
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.errors import ModelRefused, NoRuntime

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
INSTALL = "pip install 'edge-agent[models]'"
# A graph without an operator, one int8 in and the same out: what every sound runtime takes.
_PROBE = base64.b64decode(
    "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAAAcAAAAeAAAAAMAAAABAAAACAAAAAQABAAEAAAAAQAAABAAAAAMABQAEAAMAAgABAAMAAAA"
    "EAAAABAAAAAUAAAAGAAAAAAAAAABAAAAAAAAAAEAAAAAAAAAAQAAAAwAAAAIAAwACAAHAAgAAAAAAAAJBAAAAAEAAAABAAAAAAAAAA=="
)


class Interpreter(Protocol):
    """What we use of TensorFlow Lite's Python interpreter."""

    def get_input_details(self) -> list[dict[str, Any]]: ...
    def get_output_details(self) -> list[dict[str, Any]]: ...
    def resize_tensor_input(self, index: int, shape: list[int], strict: bool = False) -> None: ...
    def allocate_tensors(self) -> None: ...
    def set_tensor(self, index: int, value: NDArray[np.int8]) -> None: ...
    def invoke(self) -> None: ...
    def get_tensor(self, index: int) -> NDArray[np.int8]: ...


def runtime_name() -> str:
    """Of the package that works here. Raises NoRuntime."""
    return _first_sound()[0].partition(".")[0].replace("_", "-")


def interpreter(file: bytes) -> Interpreter:
    """Over the file's bytes, one thread, tensors not allocated yet. Raises NoRuntime; ModelRefused for no graph."""
    _, module = _first_sound()
    try:
        return _built(module, file)
    except (ValueError, RuntimeError) as error:
        raise ModelRefused(f"the file holds no graph that the runtime takes: {error}") from error


def _first_sound() -> tuple[str, Any]:
    failures = []
    for name, module, failure in _tried():
        if module is not None:
            return name, module
        failures.append(f"{name.partition('.')[0]}: {failure}")
    raise NoRuntime(f"no TFLite runtime works here ({'; '.join(failures)}): {INSTALL}")


def _tried() -> Iterator[tuple[str, Any, str]]:
    for name in RUNTIMES:
        try:
            module = importlib.import_module(name)
            _built(module, _PROBE).allocate_tensors()
        except (ImportError, AttributeError, SystemError, OSError, RuntimeError, ValueError) as error:
            yield name, None, _reason(name, error)
        else:
            yield name, module, ""


def _reason(name: str, error: BaseException) -> str:
    """In one line. tflite-runtime with numpy 2 speaks of capsules and results: what is wrong is said beside it."""
    words = str(error).partition("\n")[0] or type(error).__name__
    is_too_new = name.startswith("tflite_runtime") and not isinstance(error, ModuleNotFoundError)
    if is_too_new and int(np.__version__.partition(".")[0]) >= 2:
        return f"{words}; it needs numpy below 2, here is {np.__version__}"
    return words


def _built(module: Any, file: bytes) -> Interpreter:
    """Without delegates: they say so on stderr, take memory, and win nothing on nets of a few thousand weights."""
    return cast(
        Interpreter,
        module.Interpreter(
            model_content=file,
            num_threads=1,
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        ),
    )
