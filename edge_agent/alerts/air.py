"""What the air does to goods besides warming them: it wets them, or dries them out."""

from math import exp, log

LEAST_PCT = 0.1  # less is no air that anybody stores food in
_A, _B_C = 17.625, 243.04  # Magnus, over water: Alduchov and Eskridge (1996), -40 to 50 °C


def vapour_pressure_kpa(temperature_c: float) -> float:
    """Of saturated air.

    >>> round(vapour_pressure_kpa(20.0), 3)
    2.333
    """
    return 0.61094 * exp(_A * temperature_c / (temperature_c + _B_C))


def dew_point_c(temperature_c: float, humidity_pct: float) -> float | None:
    """A surface colder than this gets wet. None for air without water, which only a broken sensor has.

    >>> round(dew_point_c(20.0, 50.0), 2), round(dew_point_c(4.0, 100.0), 9)
    (9.26, 4.0)
    >>> dew_point_c(20.0, 0.0) is None
    True
    """
    if humidity_pct < LEAST_PCT:
        return None
    gamma = log(min(humidity_pct, 100.0) / 100) + _A * temperature_c / (_B_C + temperature_c)
    return _B_C * gamma / (_A - gamma)


def wetness_k(air_c: float | None, humidity_pct: float | None, surface_c: float | None) -> float | None:
    """How far a surface lies below the dew point: above 0 it gets wet. None where something is not known.

    >>> round(wetness_k(15.0, 80.0, 4.0), 1)  # a door that stood open in summer
    7.6
    """
    if air_c is None or humidity_pct is None or surface_c is None:
        return None
    dew_c = dew_point_c(air_c, humidity_pct)
    return None if dew_c is None else dew_c - surface_c
