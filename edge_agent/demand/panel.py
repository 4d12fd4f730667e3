"""Many products' days side by side: what left the shelf, when the shop was open, what was known in advance."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.forecast import MAX_HORIZON_D

Floats = NDArray[np.float64]
Amounts = NDArray[np.float64] | NDArray[np.float32]  # the night keeps them in half the RAM, and reckons in doubles
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

KNOWN = ("promo", "price_rel", "holiday", "holiday_next2d", "school_holiday", "event", "temp", "precip")
WEATHER = ("temp", "precip")  # °C, daily mean; mm a day. After the origin they are a forecast
WEEK_D = 7
PRICE_WINDOW_D = 56  # a price is told relative to its median in so many days before


@dataclass(frozen=True, eq=False)
class Panel:
    """Series by days. ``known`` reaches MAX_HORIZON_D days further than ``qty``; NaN there is "not known"."""

    names: tuple[str, ...]
    first: date  # of the first column
    qty: Amounts  # [series, days], 0 or more; what lies on closed days is not looked at
    is_open: Bools  # [series, days]
    known: Mapping[str, Floats]  # name out of KNOWN -> [series, days + MAX_HORIZON_D]
    start: Ints  # [series]: column of the first sale; as many as there are days where nothing was sold yet
    category: tuple[str, ...] = field(default=())  # of each series; () or "": not told

    def __post_init__(self) -> None:
        shape = (len(self.names), self.qty.shape[1] if self.qty.ndim == 2 else -1)
        if self.qty.shape != shape or self.is_open.shape != shape or self.start.shape != shape[:1]:
            raise ValueError(
                f"qty {self.qty.shape}, is_open {self.is_open.shape}, start {self.start.shape}: need {shape}"
            )
        if self.category and len(self.category) != len(self.names):
            raise ValueError(f"category has {len(self.category)} entries: must be none, or {len(self.names)}")
        for name, values in self.known.items():
            if name not in KNOWN or values.shape != (shape[0], shape[1] + MAX_HORIZON_D):
                right = (shape[0], shape[1] + MAX_HORIZON_D)
                raise ValueError(f"known[{name!r}] {values.shape}: must be one of {', '.join(KNOWN)} of {right}")

    @property
    def days(self) -> int:
        return int(self.qty.shape[1])

    def day(self, column: int) -> date:
        return self.first + timedelta(days=column)

    def weekdays(self) -> Ints:
        """Of every column, those of the horizon too; Monday is 0."""
        found: Ints = (self.first.weekday() + np.arange(self.days + MAX_HORIZON_D)) % WEEK_D
        return found

    def imputed(self) -> Amounts:
        """Closed days as the same weekday a week before: a history only ever looks back.

        The panel's own array where nothing is to be filled: it is not to be written to.
        """
        filled: Amounts = self.qty
        for column in np.flatnonzero(~self.is_open.all(axis=0)):
            closed = ~self.is_open[:, column]
            usual = filled[closed, column - WEEK_D] if column >= WEEK_D else np.zeros(int(closed.sum()))
            if np.array_equal(filled[closed, column], usual):
                continue
            filled = filled.copy() if filled is self.qty else filled
            filled[closed, column] = usual
        return filled

    def upto(self, origin: int) -> "Panel":
        """What can be known at the end of day ``origin``: no sale after it, and plans no further than the horizon."""
        if not 0 <= origin < self.days:
            raise ValueError(f"origin = {origin}: must be 0 to {self.days - 1}")
        return replace(
            self,
            qty=self.qty[:, : origin + 1],
            is_open=self.is_open[:, : origin + 1],
            known={name: values[:, : origin + 1 + MAX_HORIZON_D] for name, values in self.known.items()},
            start=np.minimum(self.start, origin + 1),
        )

    def only(self, rows: Iterable[int]) -> "Panel":
        chosen = np.fromiter(rows, np.int64)
        return replace(
            self,
            names=tuple(self.names[row] for row in chosen),
            qty=self.qty[chosen],
            is_open=self.is_open[chosen],
            known={name: values[chosen] for name, values in self.known.items()},
            start=self.start[chosen],
            category=tuple(self.category[row] for row in chosen) if self.category else (),
        )


def starts(qty: Floats) -> Ints:
    """Column of each row's first sale, or the number of columns.

    >>> starts(np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])).tolist()
    [1, 3]
    """
    sold = qty > 0
    found: Ints = np.where(sold.any(axis=1), sold.argmax(axis=1), qty.shape[1])
    return found


def relative_price(price: Floats) -> Floats:
    """Price over its median in the PRICE_WINDOW_D days before; a missing price is the last one told, 1 before that.

    A price of 0 is a missing one: that is how many tills write it.

    >>> relative_price(np.array([[2.0, np.nan, 1.0]])).tolist()
    [[1.0, 1.0, 0.5]]
    """
    filled = _carried(np.where(price > 0, price, np.nan))
    found = np.ones_like(filled)
    for column in range(1, filled.shape[1]):
        before = filled[:, max(0, column - PRICE_WINDOW_D) : column]
        has = np.isfinite(before).any(axis=1) & np.isfinite(filled[:, column])
        if has.any():
            found[has, column] = filled[has, column] / np.nanmedian(before[has], axis=1)
    return found


def _carried(values: Floats) -> Floats:
    """The last value told, in each row: never one from later."""
    told = np.where(np.isfinite(values), np.arange(values.shape[1]), -1)
    last = np.maximum.accumulate(told, axis=1)
    found: Floats = np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=1), np.nan)
    return found
