import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.inference.bundle import packed, unpacked
from edge_agent.inference.card import read_card
from edge_agent.inference.errors import ModelRefused

HERE = Path(__file__).parent
CARD, FILE = ((HERE / name).read_bytes() for name in ("tiny.json", "tiny.tflite"))
FROM = datetime(2026, 3, 1, tzinfo=UTC)
BODY = packed(CARD, FILE, FROM, FROM + timedelta(days=30))


def with_head(**changes: object) -> bytes:
    head, _, rest = BODY.partition(b"\n")
    return json.dumps(json.loads(head) | changes).encode() + b"\n" + rest


def test_what_was_packed_is_unpacked() -> None:
    found = unpacked(BODY)
    assert (found.card, found.file) == (read_card(CARD), FILE)
    assert (found.issued_at, found.expires_at) == (FROM, FROM + timedelta(days=30))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "begins with one line"),
        (b"x" * 10_000, "begins with one line"),
        (b" " * 600 + b"\n", "begins with one line"),
        (b"{\n", "not JSON"),
        (b"[" * 500 + b"\n", "not JSON"),
        (b"[]\n", "must be form 1"),
        (with_head(form=2), "must be form 1"),
        (with_head(colour="red"), "must be form 1"),
        (with_head(card_bytes=0), "card_bytes = 0: must be between 1 and 65536"),
        (with_head(card_bytes=True), "card_bytes = True"),
        (with_head(card_bytes=len(CARD) + 1), "card: is not JSON"),
        (with_head(expires_at="soon"), "expires_at = 'soon'"),
        (with_head(issued_at="2026-03-01T00:00:00"), "issued_at = "),
        (with_head(expires_at=FROM.isoformat()), "must be after issued_at"),
        (BODY[:-1], "cut short"),
        (BODY + b"x", "another file"),
    ],
)
def test_what_is_no_bundle_is_refused_with_the_reason(body: bytes, says: str) -> None:
    with pytest.raises(ModelRefused, match=says):
        unpacked(body)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_damage_anywhere_is_refused_or_changes_nothing_that_counts(at: int, bits: int) -> None:
    """Around the graph: its hash guards it; the card's own numbers are guarded by the signature."""
    damaged = BODY[:at] + bytes([BODY[at] ^ bits]) + BODY[at + 1 :]
    try:
        found = unpacked(damaged)
    except ModelRefused:
        return
    assert found.file == FILE
