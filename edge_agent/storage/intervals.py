"""Sets of sequence numbers kept as intervals, because acknowledgements come almost in order."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Intervals:
    """Disjoint closed intervals of integers, merged when they touch.

    >>> settled = Intervals()
    >>> settled.add(1, 3); settled.add(7); settled.add(4)
    >>> list(settled), list(settled.gaps(0, 9)), settled.total
    ([(1, 4), (7, 7)], [(5, 6), (8, 9)], 5)
    """

    def __init__(self, spans: Iterator[tuple[int, int]] | None = None) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self.total = 0
        for first, last in spans or ():
            self.add(first, last)
        self.changed: set[int] = set()  # firsts of intervals that came, went or grew since the owner cleared it

    def add(self, first: int, last: int | None = None) -> None:
        last = first if last is None else last
        low = bisect_left(self._lasts, first - 1)  # the first interval that touches or follows
        high = bisect_right(self._firsts, last + 1)  # one past the last that touches
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._replace(low, high, [(first, last)])

    def remove(self, first: int, last: int | None = None) -> None:
        last = first if last is None else last
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        if low >= high:
            return
        left, right = (self._firsts[low], first - 1), (last + 1, self._lasts[high - 1])
        self._replace(low, high, [span for span in (left, right) if span[0] <= span[1]])

    def _replace(self, low: int, high: int, spans: list[tuple[int, int]]) -> None:
        gone = zip(self._firsts[low:high], self._lasts[low:high], strict=True)
        self.total += sum(b - a + 1 for a, b in spans) - sum(b - a + 1 for a, b in gone)
        changed = {*self._firsts[low:high], *(a for a, _ in spans)}
        self._firsts[low:high] = [a for a, _ in spans]
        self._lasts[low:high] = [b for _, b in spans]
        # The constructor fills before anyone can have seen a change.
        if hasattr(self, "changed"):
            self.changed |= changed

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._lasts, number)
        return at < len(self._firsts) and self._firsts[at] <= number

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._firsts, self._lasts, strict=True)))

    def __len__(self) -> int:
        return len(self._firsts)

    def last_of(self, first: int) -> int | None:
        """The end of the interval that begins exactly there."""
        at = bisect_left(self._firsts, first)
        return self._lasts[at] if at < len(self._firsts) and self._firsts[at] == first else None

    def within(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The parts of the intervals that lie in [first, last]."""
        at = bisect_left(self._lasts, first)
        while at < len(self._firsts) and self._firsts[at] <= last:
            yield max(first, self._firsts[at]), min(last, self._lasts[at])
            at += 1

    def gaps(self, after: int, upto: int) -> Iterator[tuple[int, int]]:
        """What is missing between ``after`` (exclusive) and ``upto`` (inclusive)."""
        start = after + 1
        for first, last in self.within(start, upto):
            if start < first:
                yield start, first - 1
            start = last + 1
        if start <= upto:
            yield start, upto
