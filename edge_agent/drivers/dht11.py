"""DHT11 temperature and humidity sensor on one GPIO: whole degrees and percents, nothing below freezing."""

from edge_agent.drivers.dht import QUANTITIES, Dht, Model, Settings, adafruit_library
from edge_agent.drivers.seam import Board, Sensor

__all__ = ["MODEL", "QUANTITIES", "Settings", "open_sensor"]

MODEL = Model("DHT11", temperature_c=(0.0, 50.0), humidity_pct=(20.0, 90.0))  # DHT11 datasheet, section 2


def open_sensor(place: str, settings: Settings, board: Board) -> Sensor:
    adafruit_library()
    return Dht(place, settings, board, MODEL)
