"""The machine's clock: what boot it is, and who says it is set."""

import sys
import time
from pathlib import Path

import pytest

from edge_agent.drivers.system_clock import SystemClock, boot_name, kernel_max_error_us


class Kernel:
    """Says one maximum error after the other, and counts how often it is asked."""

    def __init__(self, *max_error_us: int | None) -> None:
        self.says = list(max_error_us)
        self.asked = 0

    def __call__(self) -> int | None:
        self.asked += 1
        return self.says[min(self.asked, len(self.says)) - 1]


@pytest.fixture
def boot_id(tmp_path: Path) -> Path:
    file = tmp_path / "boot_id"
    file.write_text("db3a171d-020e-43b1-92d4-97d3dd7a0f0d\n")
    return file


def test_the_boot_is_named_by_the_kernel(boot_id: Path) -> None:
    assert SystemClock(boot_id).boot == "db3a171d"


def test_without_the_kernels_name_no_two_clocks_share_a_boot(tmp_path: Path) -> None:
    assert boot_name(tmp_path / "missing") != boot_name(tmp_path / "missing")


@pytest.mark.parametrize(
    ("max_error_us", "synchronised"),
    [(0, True), (250_000, True), (15_999_999, True), (16_000_000, False), (2**31 - 1, False), (None, False)],
)
def test_the_kernels_error_bound_says_whether_it_is_set(
    boot_id: Path, max_error_us: int | None, synchronised: bool
) -> None:
    assert SystemClock(boot_id, Kernel(max_error_us)).is_synchronised() is synchronised


def test_the_kernel_is_not_asked_in_every_cycle(boot_id: Path) -> None:
    kernel = Kernel(16_000_000, 0)
    clock = SystemClock(boot_id, kernel)
    assert [clock.is_synchronised() for _ in range(100)] == [False] * 100
    assert kernel.asked == 1


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex(2)")
def test_this_kernel_answers() -> None:
    max_error_us = kernel_max_error_us()
    assert max_error_us is None or max_error_us >= 0


def test_time_passes_and_never_goes_back(boot_id: Path) -> None:
    clock = SystemClock(boot_id)
    before_s = clock.monotonic_s()
    clock.sleep(-1)
    clock.sleep(0)
    assert clock.monotonic_s() >= before_s
    assert abs(clock.wall_s() - time.time()) < 1
