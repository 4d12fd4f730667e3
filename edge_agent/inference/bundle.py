"""Card and file in one piece, with the time in which they may be installed: what somebody signs.

One line of JSON, then the card's bytes, then the file's. The signature stands around it (docs/models.md).
"""

import json
from dataclasses import dataclass
from datetime import datetime

from edge_agent.inference.card import MAX_CARD_BYTES, MAX_FILE_BYTES, ModelCard, check_file, read_card
from edge_agent.inference.errors import ModelRefused

TYPE = "application/vnd.storeroom.model.v1"  # in the signature: one made for a command is none for a model
_FORM = 1
_HEAD_BYTES = 512
_KEYS = {"form", "issued_at", "expires_at", "card_bytes"}


@dataclass(frozen=True, slots=True)
class Bundle:
    card: ModelCard
    file: bytes
    issued_at: datetime
    expires_at: datetime  # not to be installed after it; one that is installed goes on


def packed(card: bytes, file: bytes, issued_at: datetime, expires_at: datetime) -> bytes:
    head = {
        "form": _FORM,
        "issued_at": issued_at.isoformat(),
        "expires_at": expires_at.isoformat(),
        "card_bytes": len(card),
    }
    return json.dumps(head).encode() + b"\n" + card + file


def unpacked(body: bytes) -> Bundle:
    """With size and hash of the file checked against its card. Raises ModelRefused."""
    head, newline, rest = body[: _HEAD_BYTES + MAX_CARD_BYTES + MAX_FILE_BYTES + 1].partition(b"\n")
    if not newline or len(head) > _HEAD_BYTES:
        raise ModelRefused(f"a bundle begins with one line of at most {_HEAD_BYTES} bytes: none is there")
    issued_at, expires_at, card_bytes = _head(head)
    card = read_card(rest[:card_bytes])
    file = rest[card_bytes:]
    check_file(file, card)
    return Bundle(card, file, issued_at, expires_at)


def _head(line: bytes) -> tuple[datetime, datetime, int]:
    try:
        head = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"the bundle's first line is not JSON: {error}") from error
    if not isinstance(head, dict) or head.keys() != _KEYS or head["form"] != _FORM:
        raise ModelRefused(
            f"the bundle's first line = {line[:80]!r}: must be form {_FORM} with {', '.join(sorted(_KEYS))}"
        )
    size = head["card_bytes"]
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_CARD_BYTES:
        raise ModelRefused(f"bundle: card_bytes = {size!r}: must be between 1 and {MAX_CARD_BYTES}")
    issued_at, expires_at = _time("issued_at", head["issued_at"]), _time("expires_at", head["expires_at"])
    if expires_at <= issued_at:
        raise ModelRefused(f"bundle: expires_at = {head['expires_at']!r}: must be after issued_at")
    return issued_at, expires_at, size


def _time(key: str, value: object) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ModelRefused(f"bundle: {key} = {str(value)[:40]!r}: must be a time like 2026-03-01T10:00:00+00:00")
    return found
