"""What was freed leaves the process: large arrays at once, the rest when it is asked for."""

import platform
import resource
from pathlib import Path

import numpy as np
import pytest

from edge_agent.service.spare_ram import LARGE_BYTES, give_back, give_back_large

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has ways of its own")
PIECES = 300


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_large_array_goes_back_though_a_small_one_lies_behind_it():
    assert give_back_large()
    before = rss_bytes()
    large, small = [], []
    for _ in range(PIECES):
        large.append(np.ones(2 * LARGE_BYTES, np.uint8))
        small.append(np.ones(700, np.uint8))
    grown = rss_bytes() - before
    large.clear()
    assert grown > 0.9 * PIECES * 2 * LARGE_BYTES
    assert rss_bytes() - before < 0.1 * grown
    assert len(small) == PIECES


def test_small_ones_go_back_when_it_is_asked_for():
    give_back()
    before = rss_bytes()
    many = [np.ones(4000, np.uint8) for _ in range(4000)]
    last = np.ones(4000, np.uint8)
    grown = rss_bytes() - before
    many.clear()
    give_back()
    assert rss_bytes() - before < 0.3 * grown
    assert last.all()
