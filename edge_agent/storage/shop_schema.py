"""The tables of the shop's own days in agent.db. A day is a number: 1 is 0001-01-01.

Apart from ``schema``, so that an agent without a shop does not load them.
"""

from collections.abc import Mapping

from sqlalchemy import Column, Float, Integer, LargeBinary, String, Table

from edge_agent.storage.schema import metadata

sale = Table(
    "sale",
    metadata,
    Column("product", String, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("source", String, primary_key=True),
    Column("unit", String, primary_key=True),
    Column("qty", Float, nullable=False),
    Column("back", Float, nullable=False),
    Column("weight_g", Float, nullable=False),
    Column("is_open", Integer),
    Column("promo", Float),
    Column("price", Float),
    Column("stockout_min", Integer),
    Column("sold_out_at", String),
)
undated_sale = Table(  # taken while the clock was not set: they wait for their day
    "undated_sale",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("clock", Integer, nullable=False),
    Column("mono_ms", Integer, nullable=False),
    Column("qty", Float, nullable=False),
    Column("back", Float, nullable=False),
    Column("weight_g", Float, nullable=False),
)
empty_shelf = Table(  # when all shelves of a product became empty, and when one was filled again
    "empty_shelf",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product", String, nullable=False),
    Column("clock", Integer, nullable=False),
    Column("mono_ms", Integer, nullable=False),
    Column("is_empty", Integer, nullable=False),
)
weather = Table(
    "weather",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("issued_ms", Integer, primary_key=True),
    Column("temp_c", Float),
    Column("precip_mm", Float),
)
planned = Table(
    "planned",
    metadata,
    Column("kind", String, primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, primary_key=True),
    Column("product", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", Float),
)
import_file = Table(  # the same file twice changes nothing
    "import_file",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("upto", String),  # key of the last row that is in, JSON; empty when all are
)
import_aside = Table(  # rows of it that do not count, as they were written
    "import_aside",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("text", String, nullable=False),
    Column("reason", String, nullable=False),
)
forecast = Table(  # as it was told, to be measured by what came
    "forecast",
    metadata,
    Column("product", String, primary_key=True),
    Column("made", Integer, primary_key=True),  # day
    Column("first", Integer, nullable=False),  # day
    Column("unit", String, nullable=False),
    Column("quantiles", LargeBinary, nullable=False),  # float32, a row a day
    Column("is_open", String, nullable=False),  # a 0 or a 1 a day
    Column("basis", String, nullable=False),
    Column("reasons", String, nullable=False),  # blanks between them
    Column("model", String),
)


def all_tables() -> Mapping[str, Table]:
    """Of the whole file, by name."""
    return dict(metadata.tables)
