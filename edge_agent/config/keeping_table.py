"""The names of goods whose shelf life is known, without the numbers: those need numpy, and a check does not."""

import csv
from functools import lru_cache
from importlib import resources


@lru_cache(maxsize=1)
def goods() -> tuple[str, ...]:
    """Products of the table in ``spoilage``, in its order."""
    text = (resources.files("edge_agent.spoilage") / "products.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(dict.fromkeys(row["product"] for row in rows if not row["product"].startswith("group:")))
