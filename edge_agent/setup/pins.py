"""What hangs on single pins and cannot be found: one line of words, as a person would say it.

>>> pins("contact 22 cold-room, hx711 5 6 shelf-2, led 23")[1]
Wired(kind='hx711', pins=(5, 6), name='shelf-2')
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from edge_agent.domain.settings import identifier

EXAMPLE = "contact 22 cold-room, hx711 5 6 shelf-2, dht22 17 cellar, led 23, buzzer 18, button 25"
NOTHING = "nothing"
# word -> (pins, whether a name follows, the longest such name)
_FORMS = {
    "contact": (1, 15),
    "dht22": (1, 15),
    "dht11": (1, 15),
    "hx711": (2, 20),
    "led": (1, 0),
    "buzzer": (1, 0),
    "button": (1, 0),
}
PANEL = ("led", "buzzer", "button")
HIGHEST_GPIO = 27


@dataclass(frozen=True, slots=True)
class Wired:
    kind: str
    pins: tuple[int, ...]  # BCM numbers; of an HX711 DOUT, then PD_SCK
    name: str  # the place, or the shelf; "" of the panel


class NotUnderstood(ValueError):
    """Names the words, and what would be right."""


def pins(answer: str) -> list[Wired]:
    """Raises NotUnderstood."""
    if answer.strip() in ("", NOTHING):
        return []
    found = [_one(part.split()) for part in answer.split(",")]
    for wrong in _twice(found):
        raise NotUnderstood(wrong)
    return found


def fault(answer: str) -> str | None:
    """For a question: what would be right.

    >>> fault("contact 22 cold-room, led 22")
    'each pin once: GPIO22 stands there twice'
    """
    try:
        pins(answer)
    except NotUnderstood as error:
        return str(error)
    return None


def _one(words: list[str]) -> Wired:
    kind = words[0].lower() if words else ""
    if kind not in _FORMS:
        meant = get_close_matches(kind, _FORMS, 1)
        hint = f" (did you mean {meant[0]}?)" if meant else ""
        raise NotUnderstood(
            f"one of {', '.join(_FORMS)} with its pins and name, not {kind!r}{hint}; such as: {EXAMPLE}"
        )
    count, longest = _FORMS[kind]
    numbers, names = words[1 : 1 + count], words[1 + count :]
    if len(numbers) < count or not all(number.isdecimal() and int(number) <= HIGHEST_GPIO for number in numbers):
        wanted = "the pin" if count == 1 else "two pins (DOUT, then PD_SCK)"
        raise NotUnderstood(f"{kind} with {wanted} by BCM number, 0 to {HIGHEST_GPIO}, not {' '.join(words)!r}")
    if len(names) != (1 if longest else 0):
        follows = "and then one name" if longest else "and no name"
        raise NotUnderstood(f"{kind} with its pins {follows}, not {' '.join(words)!r}")
    wrong = identifier("name", names[0], longest) if names else None
    if wrong is not None:
        raise NotUnderstood(f"{kind} with a name of {wrong.right}, not {names[0]!r}")
    return Wired(kind, tuple(map(int, numbers)), names[0] if names else "")


def _twice(found: list[Wired]) -> Iterator[str]:
    seen: set[int] = set()
    kinds: set[str] = set()
    for wired in found:
        for pin in wired.pins:
            if pin in seen:
                yield f"each pin once: GPIO{pin} stands there twice"
            seen.add(pin)
        if wired.kind in PANEL and wired.kind in kinds:
            yield f"one {wired.kind} at most"
        kinds.add(wired.kind)
