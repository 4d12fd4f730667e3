"""The vendors' libraries on simulated time: their waits move our clock instead of holding the process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from types import ModuleType, SimpleNamespace
from typing import Any

from edge_agent.domain.instant import Clock
from edge_agent.drivers.dht import adafruit_library
from hardware_mocks.clock import SimulatedClock

# Every module in which a vendor's library of our drivers looks at the time or sleeps.
MODULES = (
    "adafruit_ahtx0",
    "adafruit_bme280.basic",
    "adafruit_bus_device.i2c_device",
    "adafruit_dht",
    "adafruit_sht31d",
    "adafruit_sht4x",
    "adafruit_tca9548a",
    "cedargrove_nau7802",
)


@contextmanager
def vendor_time(clock: Clock, modules: tuple[str, ...] = MODULES) -> Iterator[None]:
    """While inside, ``time`` of those modules is the simulated clock; with a real clock nothing changes.

    The modules are imported here, so that a driver's later import finds them as they are now.
    """
    if not isinstance(clock, SimulatedClock):
        yield
        return
    replaced: list[tuple[ModuleType, str, Any]] = []
    try:
        for module in _importable(modules):
            for name, ours in _replacements(module, clock):
                replaced.append((module, name, getattr(module, name)))
                setattr(module, name, ours)
        yield
    finally:
        for module, name, original in reversed(replaced):
            setattr(module, name, original)


def _importable(names: tuple[str, ...]) -> Iterator[ModuleType]:
    for name in names:
        try:
            with redirect_stdout(StringIO()):  # Blinka prints its doubts about the machine among a command's results
                module = adafruit_library() if name == "adafruit_dht" else import_module(name)
        except (ImportError, NotImplementedError, RuntimeError, AttributeError):
            # Blinka on an unknown machine: NotImplementedError, or whatever its detection stumbles on. A driver
            # that needs the module says so when it imports it.
            continue
        yield module


def _replacements(module: ModuleType, clock: SimulatedClock) -> Iterator[tuple[str, object]]:
    """For ``import time`` the module, for ``from time import sleep`` the name itself."""
    functions: dict[str, Callable[..., object]] = {
        "sleep": clock.sleep,
        "monotonic": clock.monotonic_s,
        "monotonic_ns": lambda: int(clock.monotonic_s() * 1e9),
        "perf_counter": clock.monotonic_s,
        "time": clock.wall_s,
    }
    for name, ours in functions.items():
        found = getattr(module, name, None)
        if isinstance(found, ModuleType):
            yield name, SimpleNamespace(**functions)
        elif found is not None and getattr(found, "__module__", None) == "time":
            yield name, ours
