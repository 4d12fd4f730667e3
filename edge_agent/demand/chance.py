"""Draws for the learning, the same for the same seed on every machine. `numpy.random` alone would take 3 MiB of RAM."""

from random import Random

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEPS = 2.0**32


class Chance:
    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def shares(self, count: int) -> Floats:
        """0 or more and less than 1."""
        return np.asarray(np.frombuffer(self._random.randbytes(4 * count), "<u4") / _STEPS)

    def integers(self, low: int, end: int, count: int) -> Ints:
        """From ``low`` to before ``end``."""
        return low + (self.shares(count) * (end - low)).astype(np.int64)

    def some(self, count: int, of: int) -> Ints:
        """``count`` different ones of 0 to before ``of``, rising; all where there are no more."""
        return np.sort(np.argsort(self.shares(of), kind="stable")[:count])
