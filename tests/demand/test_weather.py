"""After an origin the weather is a forecast: wrong by more the further ahead, and never wrong before it."""

import numpy as np
import pytest
from rows_of_sales import panel_of

from edge_agent.demand.weather import Weather, as_known

DAYS = 100


def _panel(days: int):
    generator = np.random.default_rng(9)
    temp = np.repeat(generator.normal(10, 4, (1, DAYS + 14)), 2, axis=0)
    rain = np.repeat(generator.exponential(2, (1, DAYS + 14)), 2, axis=0)
    panel = panel_of(np.ones((2, DAYS)), known={"temp": temp, "precip": rain, "holiday": 0 * temp})
    return panel.upto(days - 1)


def _errors(name: str) -> np.ndarray:
    """[origins, days ahead]"""
    found = []
    for days in range(40, DAYS + 1):
        panel = _panel(days)
        noisy = as_known(panel, Weather.NOISY, 1)
        assert np.array_equal(noisy.known[name][:, :days], panel.known[name][:, :days]), "the past is as it was"
        assert np.array_equal(noisy.known[name][0], noisy.known[name][1]), "one sky over all series"
        found.append((noisy.known[name] - panel.known[name])[0, days:])
    return np.array(found)


def test_temperature_is_off_by_1_degree_tomorrow_and_by_4_in_two_weeks() -> None:
    spread = _errors("temp").std(axis=0)
    assert 0.7 < spread[0] < 1.5
    assert 2.0 < spread[6] < 3.8
    assert 3.0 < spread[13] < 5.2


def test_rain_is_known_less_the_further_ahead_and_never_negative() -> None:
    size = np.abs(_errors("precip")).mean(axis=0)
    assert size[0] < size[6] < 1.2 * size[13]
    assert (as_known(_panel(60), Weather.NOISY, 1).known["precip"] >= 0).all()


def test_the_same_seed_gives_the_same_forecast_and_another_another() -> None:
    first, again, other = (as_known(_panel(60), Weather.NOISY, seed).known["temp"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("weather", "names"), [(Weather.PERFECT, {"temp", "precip", "holiday"}), (Weather.NONE, {"holiday"})]
)
def test_without_errors_or_without_weather(weather, names) -> None:
    panel = _panel(60)
    found = as_known(panel, weather, 1)
    assert set(found.known) == names
    assert all(np.array_equal(found.known[name], panel.known[name]) for name in names)


def test_weather_that_is_not_told_stays_so() -> None:
    panel = _panel(60)
    panel.known["temp"][:, 65] = np.nan
    assert np.isnan(as_known(panel, Weather.NOISY, 1).known["temp"][:, 65]).all()
