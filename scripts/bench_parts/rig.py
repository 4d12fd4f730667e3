"""The storeroom that is measured: sixteen channels at 1 Hz, every setting that matters at its default."""

from pathlib import Path

ROOMS = 8  # SHT3x behind one multiplexer, temperature and humidity: sixteen channels
CHANNELS = 2 * ROOMS
SHELF = """
[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = 1.0
bus = "i2c-2"
rate_sps = 80

[[shelf]]
name = "shelf-1"
capacity_g = 60_000
cells = [{ sensor = "scale-1", zero_counts = 84_000, counts_per_gram = 100.0 }]
"""


def write_config(folder: Path, port: int, *, with_shelf: bool = False, mqtt: str = "") -> Path:
    sensors = "".join(
        f'[[sensor]]\nname = "room-{room}"\ndriver = "sht3x"\ninterval_s = 1.0\n'
        f"mux_address = 0x70\nmux_channel = {room}\n"
        for room in range(ROOMS)
    )
    path = folder / "agent.toml"
    path.write_text(
        f'[node]\nsite = "bench"\nname = "bench"\n\n[storage]\ndirectory = "{folder / "state"}"\n\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n{mqtt}\n\n[commands]\nsignatures = "off"\n\n'
        f'[board]\nkind = "simulated"\n\n{sensors}' + (SHELF if with_shelf else "")
    )
    return path
