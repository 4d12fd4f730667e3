"""From when to when each product has rows, by their keys: of long tables in which a product's rows lie together by day,
without reading them.
"""

from sqlalchemy import CTE, Subquery, Table, func, select


def spans(table: Table, day: str) -> Subquery:
    """``product``, ``first``, ``last``: a row a product; ``day`` is the column that follows the product in the key."""
    found, row = _products(table), table.alias()
    ends = {
        name: select(end(row.c[day])).where(row.c.product == found.c.product).scalar_subquery().label(name)
        for name, end in (("first", func.min), ("last", func.max))
    }
    return select(found.c.product, *ends.values()).where(found.c.product.is_not(None)).subquery()


def _products(table: Table) -> CTE:
    """A step from each to the next; the last row is NULL. SQLite's DISTINCT would read the whole table."""
    found = select(func.min(table.c.product).label("product")).cte("found", recursive=True)
    row = table.alias()
    beyond = select(func.min(row.c.product)).where(row.c.product > found.c.product).scalar_subquery()
    return found.union_all(select(beyond).where(found.c.product.is_not(None)))
