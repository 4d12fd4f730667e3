"""The recorded refrigerator through the agent's drivers and decisions: when its door was opened."""

from dataclasses import replace
from pathlib import Path

from bench_parts.decisions import decisions
from edge_agent.config import load
from edge_agent.service.build import open_board

ROOT = Path(__file__).resolve().parents[2]
CONFIG, PLACE = "fridge.toml", "fridge"


def openings_of(source: Path) -> list[float]:
    """When the agent saw that the door had been opened, Unix seconds."""
    settings = load(ROOT / "config" / "replay" / CONFIG)
    board_settings = replace(settings.board.settings, traces=(str(source),))
    settings = replace(settings, board=replace(settings.board, settings=board_settings))
    found: list[float] = []
    known = 0
    for decision, now in decisions(settings, open_board(settings), 0.0):
        openings = decision.memory.places[PLACE].machinery.door.air.openings
        if openings > known:
            found.append(now.wall_ms / 1000)
        known = openings
    return found
