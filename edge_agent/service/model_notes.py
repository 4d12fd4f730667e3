"""What is written down of one model: versions, comparison, decisions, and which commands were carried out.

A change is announced before its file is changed, with the notes that hold afterwards: whoever starts after a death
finds out by the file which of the two hold.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from edge_agent.domain.command import Command
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.inference.card import is_version
from edge_agent.storage.clocks import age_days
from edge_agent.storage.inbox import SAME_COMMAND_DAYS

_TEXTS = ("highest", "shadow", "decision", "decided_at")


@dataclass(frozen=True, slots=True)
class Answer:
    """To a command that was carried out. It comes again where the agent died before its inbox had the answer."""

    cmd_id: str
    received: Instant
    words: str
    detail: Mapping[str, object] = field(default_factory=dict)

    def is_to(self, command: Command) -> bool:
        """As the inbox sees it: the same id within a day is the same command."""
        if not command.cmd_id or command.cmd_id != self.cmd_id:
            return False
        age = age_days(self.received, command.received)
        return age is None or age < SAME_COMMAND_DAYS


@dataclass(frozen=True, slots=True)
class Notes:
    highest: str = "0"  # version that was ever taken: an older one, replayed, is refused
    shadow: str = ""  # the comparison, as `inference.shadow` writes it
    decision: str = ""  # the last one, in words
    decided_at: str = ""  # RFC 3339
    dropped: tuple[str, ...] = field(default=())  # versions that were rejected or rolled back, the last ones
    answers: tuple[Answer, ...] = ()  # the last ones


@dataclass(frozen=True, slots=True)
class Announced:
    """The one rename or removal that a change is made by."""

    slot: str
    sha256: str  # hexadecimal, of what lies in the slot afterwards; "": nothing
    notes: Notes  # which hold once it is made


def to_bytes(notes: Notes, announced: Announced | None = None) -> bytes:
    return json.dumps(
        asdict(notes) | ({} if announced is None else {"announced": asdict(announced)}), indent=1
    ).encode()


def from_bytes(content: bytes) -> tuple[Notes, Announced | None]:
    """Raises ValueError, and RecursionError as `json` does."""
    body = json.loads(content)
    notes = _notes(body)
    return notes, None if body.get("announced") is None else _announced(body["announced"])


def _notes(body: object) -> Notes:
    if not isinstance(body, dict):
        raise ValueError(f"{str(body)[:80]!r} are no notes")
    texts = _texts(body, _TEXTS)
    if not is_version(texts.get("highest", "0")):
        raise ValueError(f"highest = {texts['highest'][:40]!r}: must be a version")
    dropped, answers = body.get("dropped", []), body.get("answers", [])
    if not isinstance(dropped, list) or not all(isinstance(each, str) for each in dropped):
        raise ValueError("dropped is no text")
    if not isinstance(answers, list):
        raise ValueError(f"answers = {str(answers)[:40]!r}: must be a list")
    return Notes(**texts, dropped=tuple(dropped), answers=tuple(map(_answer, answers)))


def _announced(body: object) -> Announced:
    found = _texts(body, ("slot", "sha256"))
    if not isinstance(body, dict) or len(found) < 2:
        raise ValueError(f"announced = {str(body)[:80]!r}: must have slot, sha256 and notes")
    return Announced(**found, notes=_notes(body.get("notes")))


def _answer(body: object) -> Answer:
    texts = _texts(body, ("cmd_id", "words"))
    if not isinstance(body, dict) or len(texts) < 2 or not isinstance(body.get("detail"), dict):
        raise ValueError(f"{str(body)[:80]!r} is no answer")
    return Answer(**texts, received=_instant(body.get("received")), detail=body["detail"])


def _instant(body: object) -> Instant:
    match body:
        case {"mono_ms": int(mono_ms), "wall_ms": int(wall_ms), "boot": str(boot), "clock": str(clock)}:
            return Instant(mono_ms, wall_ms, boot, ClockState(clock))
    raise ValueError(f"received = {str(body)[:80]!r}: must have mono_ms, wall_ms, boot and clock")


def _texts(body: object, keys: tuple[str, ...]) -> dict[str, str]:
    """Of these those that are there."""
    found = {key: body[key] for key in keys if key in body} if isinstance(body, dict) else {}
    odd = [key for key, value in found.items() if not isinstance(value, str)]
    if odd:
        raise ValueError(f"{odd[0]} is no text")
    return found
