"""RAM that was freed, given back to the system: the C library keeps it, and a night's arrays leave several MiB so.

Both calls are glibc's own (mallopt(3), malloc_trim(3)); another C library has ways of its own, and is left to them.
"""

import ctypes

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
LARGE_BYTES = 16 * 1024


def give_back_large() -> bool:
    """From now on what is LARGE_BYTES or more goes back at once when it is freed; False where that is not to be had.

    Left alone, the first large array that is freed moves the border up to 32 MiB, and all later ones stay behind.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_MMAP_THRESHOLD, LARGE_BYTES) == 1


def give_back() -> bool:
    """What lies free now; False where there was nothing, or no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and trim(0) == 1
