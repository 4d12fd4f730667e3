"""Somebody before the panel, who looks at nothing but the edges of its pins. Times are monotonic seconds."""

import time

from chaos_parts.children import CampaignError
from hardware_mocks.watched_pins import Onlooker

LAMP, BUZZER, BUTTON = 23, 18, 25  # the pins of the panels that are looked at
PATIENCE_S = 20.0
LOOK_S = 0.01
FLASHES_S = 0.6  # watched so long, a light of 1.4 to 2.8 Hz has changed twice at least
STEADY_S = 0.5  # and one that does not change for so long, after a flash of at least 1.4 Hz, does not flash


class Lookout:
    def __init__(self, onlooker: Onlooker) -> None:
        self._onlooker = onlooker

    def first_change(self, since_s: float) -> float:
        """Of the light."""
        return self._first(LAMP, since_s, "the light did not change")

    def first_sound(self, since_s: float) -> float:
        return self._first(BUZZER, since_s, "nothing was heard", only_on=True)

    def _first(self, pin: int, since_s: float, otherwise: str, *, only_on: bool = False) -> float:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            for change in self._onlooker.changes(pin, since_s):
                if change.level or not only_on:
                    return change.at_s
            time.sleep(LOOK_S)
        raise CampaignError(f"{otherwise} within {PATIENCE_S:g} s")

    def require_flashing(self, since_s: float) -> None:
        time.sleep(max(0.0, since_s + FLASHES_S - time.monotonic()))
        if len(self._onlooker.changes(LAMP, since_s)) < 2:
            raise CampaignError("the light changed once, and does not flash")

    def steady_since(self, since_s: float) -> float:
        """When it changed last, and is lit."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            last_s = max((change.at_s for change in self._onlooker.changes(LAMP, since_s)), default=since_s)
            if time.monotonic() - last_s >= STEADY_S and self._onlooker.is_on(LAMP):
                return last_s
            time.sleep(LOOK_S)
        raise CampaignError(f"the light is not steady {PATIENCE_S:g} s after the press")

    def press(self, seconds: float) -> tuple[float, float]:
        """When it went down, and up."""
        down_s = time.monotonic()
        self._onlooker.press(BUTTON)
        time.sleep(seconds)
        up_s = time.monotonic()
        self._onlooker.let_go(BUTTON)
        return down_s, up_s

    def first_burst(self, since_s: float) -> tuple[float, int]:
        """When the buzzer began, and how many pulses it gave."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            found = self._onlooker.bursts(BUZZER, since_s)
            if found and time.monotonic() - sum(found[0][-1]) > STEADY_S:
                return found[0][0][0], len(found[0])
            time.sleep(LOOK_S)
        raise CampaignError(f"nothing was heard within {PATIENCE_S:g} s")
