"""The light by which a node shows which one it is."""

from typing import Any

from edge_agent.drivers.seam import Board

BLINK_S = 0.25  # half a period: 2 Hz, within the 1.4 to 2.8 Hz of a flashing indicator (IEC 60601-1-8, table 2)


class Panel:
    def __init__(self, led: Any | None) -> None:
        self._led = led  # a gpiozero.LED, or None where no pin is configured

    def identify(self, seconds: float) -> bool:
        """Blink for so long, in gpiozero's own thread; False when there is no light."""
        if self._led is None:
            return False
        self._led.blink(BLINK_S, BLINK_S, n=max(1, round(seconds / (2 * BLINK_S))))
        return True

    def close(self) -> None:
        """Dark and released."""
        if self._led is not None:
            self._led.off()
            self._led.close()


def open_panel(pin: int | None, board: Board) -> Panel:
    """Without a pin there is no light, and gpiozero is not even imported."""
    if pin is None:
        return Panel(None)
    from gpiozero import LED

    return Panel(LED(pin, pin_factory=board.pin_factory))
