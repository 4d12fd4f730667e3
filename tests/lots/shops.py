"""The shop that sells strawberries, as TOML: what the stories of lots in several rooms of the tests share."""

GTIN = "4006381333931"
NODE = """
[node]
site = "elm-street"
name = "a1"
"""
PRODUCT = f"""
[food]
region = "eu"

[[product]]
gtin = "{GTIN}"
name = "Strawberries"
piece_g = 500.0
keeps_like = "strawberry"
"""


def places(**sensors_of: str | None) -> str:
    """Chilled ones; ``None``: under the sensor of their own name. Underscores are hyphens.

    >>> print(places(cellar="cold-room").strip())
    [[place]]
    name = "cellar"
    kind = "chilled"
    sensors = ["cold-room"]
    """
    found = ""
    for name, sensor in sensors_of.items():
        found += f'\n[[place]]\nname = "{name.replace("_", "-")}"\nkind = "chilled"\n'
        found += "" if sensor is None else f'sensors = ["{sensor}"]\n'
    return found


def one_shelf(cycle_s: float, climate_s: float, scale_s: float) -> str:
    """A cold room with a thermometer and a scale of 20 kg under shelf-1, as the benches of the tests have them."""
    return f"""{NODE}
[commands]
signatures = "off"

[agent]
cycle_s = {cycle_s}

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = {climate_s}

[[sensor]]
name = "scale-1"
driver = "nau7802"
place = "cold-room"
interval_s = {scale_s}

[[shelf]]
name = "shelf-1"
capacity_g = 20_000.0
product = "{GTIN}"

[[shelf.cell]]
sensor = "scale-1"
zero_counts = 1000
counts_per_gram = 100.0
"""
