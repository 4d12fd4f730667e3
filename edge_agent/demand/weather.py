"""Weather of the days after an origin: as a forecast would have had it, not as it came."""

from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.panel import WEATHER, Panel
from edge_agent.domain.forecast import MAX_HORIZON_D

Floats = NDArray[np.float64]

# Standard error of a daily mean temperature 1, 3, 5, 7, 10 and 14 days ahead, °C: about 1 on the first day and near
# the spread of the season after ten, as the verification pages of ECMWF and DWD draw it (recalled).
_LEADS_D = (1, 3, 5, 7, 10, 14)
_TEMP_SD_C = (1.1, 1.6, 2.3, 2.9, 3.6, 4.1)
_RAIN_SKILL = (
    0.8,
    0.65,
    0.5,
    0.35,
    0.2,
    0.1,
)  # share of the coming rain in the forecast's; the rest is any recent day's
_FOLLOWS = 0.7  # correlation of one day's error with the next one's
_RAIN_SD = 0.25  # of log(1 + mm), beside that
RECENT_D = 28


class Weather(StrEnum):
    PERFECT = "perfect"  # as it came: nobody knows it in advance
    NOISY = "noisy"  # with errors that grow with the days ahead
    NONE = "none"


def as_known(panel: Panel, weather: Weather, seed: int) -> Panel:
    """The panel, which ends at its origin, with this kind of weather after it. The same errors for every series."""
    if weather is Weather.PERFECT or not set(WEATHER) & set(panel.known):
        return panel
    if weather is Weather.NONE:
        return replace(panel, known={name: values for name, values in panel.known.items() if name not in WEATHER})
    generator = np.random.default_rng([seed, panel.day(panel.days).toordinal()])
    temp_error_c = _temp_errors(generator)
    days = generator.integers(RECENT_D, size=MAX_HORIZON_D)
    rain_error = generator.normal(0.0, _RAIN_SD, MAX_HORIZON_D)
    known = dict(panel.known)
    if "temp" in known:
        known["temp"] = _ahead(known["temp"], known["temp"][:, panel.days :] + temp_error_c)
    if "precip" in known:
        known["precip"] = _ahead(known["precip"], _rain(known["precip"], panel.days, days, rain_error))
    return replace(panel, known=known)


def _ahead(values: Floats, after: Floats) -> Floats:
    return np.concatenate([values[:, :-MAX_HORIZON_D], after], axis=1)


def _temp_errors(generator: np.random.Generator) -> Floats:
    """°C, of the days ahead; each follows the one before it."""
    drawn = generator.normal(size=MAX_HORIZON_D)
    for day in range(1, MAX_HORIZON_D):
        drawn[day] = _FOLLOWS * drawn[day - 1] + np.sqrt(1 - _FOLLOWS**2) * drawn[day]
    return drawn * np.interp(np.arange(1, MAX_HORIZON_D + 1), _LEADS_D, _TEMP_SD_C)


def _rain(rain_mm: Floats, origin: int, days: NDArray[np.int64], error: Floats) -> Floats:
    """Mixed on a log scale with the rain of any of the RECENT_D days before; ``origin``: the first day ahead."""
    coming = rain_mm[:, origin:]
    any_day = rain_mm[:, np.maximum(origin - 1 - days, 0)]
    skill = np.interp(np.arange(1, MAX_HORIZON_D + 1), _LEADS_D, _RAIN_SKILL)
    mixed = skill * np.log1p(coming) + (1 - skill) * np.log1p(np.where(np.isfinite(any_day), any_day, coming))
    found: Floats = np.maximum(np.expm1(mixed * np.exp(error)), 0.0)
    return found
