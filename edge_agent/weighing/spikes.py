"""Single wild readings: 1 to 5 % of an HX711's (lesson 20). Stage 2 of `follow`."""

from collections.abc import Sequence

WIDTH = 5  # readings; two of them may be wild
_HALF = WIDTH // 2
SPARSE_S = 2.0  # between readings: above it five of them say nothing about one, and rest alone sorts spikes out
K = 4.0  # noises from the median: beyond them a reading is taken for a spike
_MAD = 1.4826  # of a normal distribution: its standard deviation is so many times its median absolute deviation


def hampel(window: Sequence[float], noise_g: float | None) -> float:
    """The middle one of five readings, or their median where it is a spike (Hampel identifier).

    A step passes unharmed, also with a spike at its edge: the median of five is on one side of it or on the other.

    >>> hampel([10.0, 10.1, 510.0, 9.9, 10.0], 0.1), hampel([10.0, 10.1, 250.0, 250.2, 249.9], 0.1)
    (10.0, 250.0)
    """
    middle = window[_HALF]
    ordered = sorted(window)
    median = ordered[_HALF]
    apart = middle - median if middle > median else median - middle
    if noise_g is not None and apart <= K * noise_g:
        return middle
    if noise_g is None:
        mad = sorted([abs(one - median) for one in ordered])[_HALF]
        if apart <= K * _MAD * mad:
            return middle
    return median


def null_hampel(window: Sequence[float], noise_g: float | None) -> float:
    """Lets every spike through."""
    return window[_HALF]
