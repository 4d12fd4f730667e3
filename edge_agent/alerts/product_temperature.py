"""Mean kinetic temperature: the even temperature that would have done the goods as much harm."""

from math import exp, log

KELVIN = 273.15
ACTIVATION_K = 10_000.0  # dH/R with 83.144 kJ/mol: USP <1079>
_REFERENCE = exp(-ACTIVATION_K / KELVIN)


def arrhenius(temperature_c: float) -> float:
    """exp(-dH / (R T)), with 0 °C as 1; its mean over time makes the mean kinetic temperature."""
    return exp(-ACTIVATION_K / (temperature_c + KELVIN)) / _REFERENCE


def mean_kinetic_c(mean_arrhenius: float) -> float:
    """USP <1079>: reported, and nothing is decided with it.

    >>> round(mean_kinetic_c(arrhenius(7.5)), 6)
    7.5
    >>> round(mean_kinetic_c((arrhenius(0.0) + arrhenius(10.0)) / 2), 2)  # above the mean of 5 °C
    6.43
    """
    return ACTIVATION_K / -log(mean_arrhenius * _REFERENCE) - KELVIN
