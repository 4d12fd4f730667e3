"""The names of goods whose shelf life is known, without the numbers: those need numpy, and a check does not."""

import csv
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable


@lru_cache(maxsize=1)
def goods() -> tuple[str, ...]:
    """Products of the table in ``spoilage``, in its order."""
    rows = csv.DictReader(_table().read_text("utf-8").splitlines())
    return tuple(dict.fromkeys(row["product"] for row in rows if not row["product"].startswith("group:")))


def where() -> str:
    """The names stand there for people."""
    return f"the first column of {_table()}"


def _table() -> Traversable:
    return resources.files("edge_agent.spoilage") / "products.csv"
