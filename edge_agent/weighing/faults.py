"""What can be wrong with a scale: the nouns, and for each fault what it means and what to do.

A fault takes the shelf's weight away until it is over, so a false one costs as much as a missed one: each rule
(`jumps`, `windows`, `shares`, `limits`, and `cell_health` that composes them) asks for something that load, warmth,
creep, vibration and people do not do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.weighing.calibration import DIVISIONS
from edge_agent.weighing.settings import ShelfSettings


@dataclass(frozen=True, slots=True)
class CellFault:
    code: str
    cell: str | None  # its sensor's name; None: the shelf as a whole
    evidence: str  # in words and figures


@dataclass(frozen=True, slots=True)
class Cure:
    """For the person at the shelf."""

    meaning: str
    cure: str


CURES: Mapping[str, Cure] = {
    "silent": Cure("the cell's sensor says nothing any more", "check plug and cable of the sensor; see its own alarm"),
    "saturated": Cure("the ADC stands at its end", "take load off; if it stays: a wire of the cell is off or shorted"),
    "unplugged": Cure(
        "the ADC sees no bridge: its input is open, or the bridge has no supply",
        "check the cell's four wires (E+, E-, S+, S-) at the terminal, then the cable for a crushed spot",
    ),
    "stuck": Cure(
        "the very same number again and again, where there was noise before",
        "take the sensor's plug out and in; if it comes back, replace the ADC board",
    ),
    "noisy": Cure(
        "far more noise than this cell used to have",
        "look for something that touches or shakes the platform, then for a loose screw, plug or shield",
    ),
    "wet": Cure(
        "its zero wanders to and fro, and its noise has risen: moisture in the cell or its plug",
        "dry cell and plug, seal them; replace the cell if it stays; then calibrate",
    ),
    "half-dead": Cure(
        "its level jumped from one sample to the next, and nothing else moved: part of the bridge is lost",
        "check its wires for a bad joint; replace the cell, then calibrate",
    ),
    "dead": Cure(
        "load came and went, the other cells felt it and this one did not",
        "see whether the cell carries the platform at all (a loose foot, a stop screw); else replace it and calibrate",
    ),
    "drifting": Cure(
        "its zero moves faster than warmth and creep can move it",
        "look for something that leans on the platform or grows under it (ice, dirt); dry the cell; calibrate",
    ),
    "overload": Cure("more than the platform may carry", "take load off at once; then check the empty scale's zero"),
    "underload": Cure(
        "less than an empty platform weighs",
        "put the platform back, free it from below; if it lies well: check the wires, then calibrate",
    ),
}


def verification_g(shelf: ShelfSettings) -> float:
    """The verification interval e of this platform, were it a class III scale (OIML R76-1, 3.2), g."""
    return shelf.capacity_g / DIVISIONS


def drifting(limit: str | None) -> CellFault | None:
    """From the limit of drift that the follower met (`Trace.drifting`); it goes on weighing, and follows no further.

    >>> drifting(None), drifting("drifting-too-fast: +75 g within an hour, at most 60 g").code
    (None, 'drifting')
    """
    return None if limit is None else CellFault("drifting", None, limit)
