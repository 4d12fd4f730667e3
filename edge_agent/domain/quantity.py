"""The physical quantities a channel can carry: name, unit, message field, possible range."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantity:
    name: str  # second half of a channel's name: "temperature"
    unit: str  # UCUM
    field: str  # name in messages, unit included: "temperature_c"
    low: float  # below or above these no chip of ours can be right
    high: float


_ALL = (
    Quantity("temperature", "Cel", "temperature_c", -60.0, 125.0),
    Quantity("humidity", "%", "humidity_pct", 0.0, 100.0),
    Quantity("pressure", "hPa", "pressure_hpa", 300.0, 1100.0),
    Quantity("counts", "{counts}", "counts", -(2**23), 2**23 - 1),
    Quantity("gross", "g", "gross_g", -5e6, 5e6),
    Quantity("net", "g", "net_g", -5e6, 5e6),
    Quantity("open", "1", "open", 0.0, 1.0),
    Quantity("under_voltage", "1", "under_voltage", 0.0, 1.0),
    Quantity("throttled", "1", "throttled", 0.0, 1.0),
)
QUANTITIES = {quantity.name: quantity for quantity in _ALL}
