"""DHT22 (AM2302) temperature and humidity sensor on one GPIO."""

from edge_agent.drivers.dht import QUANTITIES, Dht, Model, Settings, adafruit_library
from edge_agent.drivers.seam import Board, Sensor

__all__ = ["MODEL", "QUANTITIES", "Settings", "open_sensor"]

MODEL = Model("DHT22", temperature_c=(-40.0, 80.0), humidity_pct=(0.0, 100.0))  # AM2302 datasheet, table 1


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    adafruit_library()
    return Dht(place, settings, board, MODEL)
