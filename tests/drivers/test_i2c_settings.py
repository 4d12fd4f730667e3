"""Mistakes in an I2C sensor's settings: each names its key, the value, and what would be right."""

import pytest

from edge_agent.domain.settings import SettingsError
from edge_agent.drivers import aht20, bme280, nau7802, sht3x, sht4x
from edge_agent.drivers.i2c import where


@pytest.mark.parametrize(
    ("module", "keys", "message"),
    [
        (sht3x, {"address": 0x46}, r"address = 70: must be one of 0x44 \(68\), 0x45 \(69\)"),
        (sht4x, {"address": 0x47}, r"address = 71: .*0x46 \(70\)"),
        (aht20, {"address": 0x39}, r"address = 57: must be one of 0x38 \(56\)"),
        (bme280, {"address": 0x75}, r"address = 117: must be one of 0x76 \(118\), 0x77 \(119\)"),
        (nau7802, {"address": 0x2B}, r"address = 43: must be one of 0x2a \(42\)"),
        (sht3x, {"bus": "spi-0"}, r"bus = 'spi-0': must be like \"i2c-1\""),
        (sht3x, {"bus": "i2c-one"}, "bus = 'i2c-one'"),
        (sht3x, {"bus": "1"}, "bus = '1'"),
        (sht3x, {"mux_address": 0x70}, "mux_channel = None: must be given: .* go together"),
        (sht3x, {"mux_channel": 0}, "mux_address = None: must be given"),
        (sht3x, {"mux_address": 0x60, "mux_channel": 0}, r"mux_address = 96: must be one of 0x70 \(112\)"),
        (sht3x, {"mux_address": 0x70, "mux_channel": 8}, "mux_channel = 8: must be between 0 and 7"),
        (
            bme280,
            {"address": 0x76, "mux_address": 0x76, "mux_channel": 1},
            "mux_address = 118: must be another address",
        ),
        (nau7802, {"rate_sps": 50}, "rate_sps = 50: must be one of 10, 20, 40, 80, 320"),
        (nau7802, {"channel": 3}, "channel = 3: must be one of 1, 2"),
    ],
)
def test_a_mistake_is_named(module, keys, message):
    with pytest.raises(SettingsError, match=message):
        module.Settings(**keys)


def test_all_mistakes_come_at_once():
    with pytest.raises(SettingsError) as caught:
        nau7802.Settings(bus="x", address=1, mux_channel=9, rate_sps=0, channel=0)
    assert [fault.key for fault in caught.value.faults] == [
        "bus",
        "address",
        "mux_channel",
        "mux_address",
        "rate_sps",
        "channel",
    ]


@pytest.mark.parametrize("module", [sht3x, sht4x, aht20, bme280, nau7802])
def test_the_defaults_are_right(module):
    assert module.Settings() == module.Settings(bus="i2c-1", address=module.Settings.ADDRESSES[0])


def test_where_a_chip_sits():
    assert where(sht3x.Settings(bus="i2c-3", address=0x45)) == "i2c-3 0x45"
    assert where(nau7802.Settings(mux_address=0x71, mux_channel=0)) == "i2c-1 0x71.0 0x2a"
