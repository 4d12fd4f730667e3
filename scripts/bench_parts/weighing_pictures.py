"""Pictures are a luxury: matplotlib is asked for only where somebody wants to see them."""

import importlib
from types import ModuleType

from chaos_parts.children import CampaignError


def drawing(module: str) -> ModuleType:
    """A module of this folder that draws. Raises CampaignError without matplotlib."""
    try:
        return importlib.import_module(f"bench_parts.{module}")
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise CampaignError("--plot needs matplotlib, which is not here: pip install matplotlib") from error
