"""Things on a bus that are no chip of ours."""

from collections.abc import Callable


class GarbageChip:
    """Acknowledges everything and answers with whatever ``answer(count)`` gives: noise, another chip, a short."""

    def __init__(self, address: int, answer: Callable[[int], bytes]) -> None:
        self.address = address
        self._answer = answer

    def write(self, frame: bytes) -> None:
        pass

    def read(self, count: int) -> bytes:
        return self._answer(count)[:count].ljust(count, b"\xff")
