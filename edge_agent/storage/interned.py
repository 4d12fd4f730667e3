"""Values written once and then referred to by a small number."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Value = TypeVar("Value", bound=Hashable)


class Interned(Generic[Value]):
    """Numbers from 1 in the order the values were met.

    >>> faults = Interned([(1, "no-answer")])
    >>> faults.number_of("checksum"), faults.number_of("no-answer"), faults.fresh
    (2, 1, [(2, 'checksum')])
    """

    def __init__(self, rows: Iterable[tuple[int, Value]] = ()) -> None:
        self.values = dict(rows)
        self._numbers = {value: number for number, value in self.values.items()}
        self.fresh: list[tuple[int, Value]] = []  # not yet on the disk: written with the next commit that succeeds

    def number_of(self, value: Value) -> int:
        """The number of ``value``; a new one if need be."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values) + 1
            self.values[number] = value
            self.fresh.append((number, value))
        return number

    def replace(self, number: int, value: Value) -> None:
        """What the number stands for has become known better; two numbers may then mean the same."""
        self._numbers.pop(self.values[number], None)
        self.values[number] = value
        self._numbers[value] = number
        self.fresh = [(fresh, self.values[fresh]) for fresh, _ in self.fresh]
