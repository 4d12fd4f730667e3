"""The vendors' libraries on simulated time."""

import subprocess
import sys
import time

import adafruit_bme280.basic
import adafruit_sht31d
import cedargrove_nau7802
import pytest

from hardware_mocks.clock import SimulatedClock
from hardware_mocks.vendor_time import MODULES, vendor_time


class RealClock:
    boot = "real"

    def monotonic_s(self):
        return time.monotonic()

    def wall_s(self):
        return time.time()

    def is_synchronised(self):
        return True

    def sleep(self, seconds):
        time.sleep(seconds)


def test_their_waits_move_our_clock_and_only_inside():
    clock = SimulatedClock(wall_s=1_800_000_000.0)
    with vendor_time(clock):
        cedargrove_nau7802.time.sleep(3600)
        adafruit_bme280.basic.sleep(0.5)  # a `from time import sleep`
        assert clock.monotonic_s() == 3600.5
        assert adafruit_sht31d.time.monotonic() == 3600.5
        assert adafruit_sht31d.time.time() == 1_800_003_600.5
    assert cedargrove_nau7802.time is time
    assert adafruit_sht31d.time is time
    assert adafruit_bme280.basic.sleep is time.sleep


def test_it_ends_with_an_error_as_well():
    with pytest.raises(KeyError), vendor_time(SimulatedClock()):
        raise KeyError
    assert adafruit_sht31d.time is time


def test_with_a_real_clock_nothing_changes():
    with vendor_time(RealClock()):
        assert adafruit_sht31d.time is time
        assert adafruit_bme280.basic.sleep is time.sleep


def test_a_module_that_cannot_be_imported_is_left_out():
    with vendor_time(SimulatedClock(), (*MODULES, "no_such_vendor")):
        assert adafruit_sht31d.time is not time


def test_modules_imported_only_inside_have_it_too_and_nothing_is_printed():
    program = (
        "from hardware_mocks.clock import SimulatedClock\n"
        "from hardware_mocks.vendor_time import vendor_time\n"
        "import sys\n"
        "clock = SimulatedClock()\n"
        "assert 'cedargrove_nau7802' not in sys.modules\n"
        "with vendor_time(clock):\n"
        "    import cedargrove_nau7802\n"
        "    cedargrove_nau7802.time.sleep(5)\n"
        "assert clock.monotonic_s() == 5\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
