"""Shelves on one load cell each, for the weighing benches: their configuration."""

from pathlib import Path

from chaos_parts.rig import NODE, SITE

from bench_parts.shelf_agent import COUNTS_PER_GRAM, ZERO_COUNTS

PIECE_G = 400.0
GTIN = "4006381333931"
CELLS_A_MUX = 8


def shelf_name(index: int) -> str:
    return f"shelf-{index + 1}"


def write_config(folder: Path, port: int, shelves: int, batch_s: float = 10.0) -> Path:
    path = folder / "agent.toml"
    path.write_text(
        f'[node]\nsite = "{SITE}"\nname = "{NODE}"\n\n'
        f'[storage]\ndirectory = "{folder / "state"}"\nbatch_s = {batch_s}\n\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n\n'
        f'[[product]]\ngtin = "{GTIN}"\nname = "Honey"\npiece_g = {PIECE_G}\n\n'
        + "\n".join(_sensor(index) for index in range(shelves))
        + "\n".join(_shelf(index) for index in range(shelves))
    )
    return path


def _sensor(index: int) -> str:
    """Converting twice as often as it is read, a chip has always a fresh code: no read waits for one."""
    mux, channel = divmod(index, CELLS_A_MUX)
    return (
        f'[[sensor]]\nname = "scale-{index + 1}"\ndriver = "nau7802"\ninterval_s = 0.1\nreport_s = 10.0\n'
        f"rate_sps = 20\nmux_address = {0x70 + mux}\nmux_channel = {channel}\n"
    )


def _shelf(index: int) -> str:
    return (
        f'[[shelf]]\nname = "{shelf_name(index)}"\ncapacity_g = 40_000.0\nproduct = "{GTIN}"\n'
        f'cell = [{{ sensor = "scale-{index + 1}", zero_counts = {ZERO_COUNTS}, '
        f"counts_per_gram = {COUNTS_PER_GRAM} }}]\n"
    )
