"""Bundles for the tests of models: the tiny model of tests/inference in any version, signed."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.decide.models import ModelKeySettings, ModelSettings
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.inference.bundle import TYPE, packed
from edge_agent.inference.card import ModelCard, RecordedCheck, fingerprint, read_card, written
from edge_agent.mqtt.signed import encoded, envelope

HERE = Path(__file__).parent
FILE, OTHER_FILE, FLOAT_FILE = ((HERE / f"{name}.tflite").read_bytes() for name in ("tiny", "other", "float_io"))
CARD = read_card((HERE / "tiny.json").read_bytes())
KEY, THIEF = (Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2))
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
SETTINGS = ModelSettings(keys=(ModelKeySettings("office", PUBLIC),))
WALL = datetime(2026, 3, 10, tzinfo=UTC)
NOW = Instant(1000, int(1000 * WALL.timestamp()), "boot-1", ClockState.SYNCED)


def version(number: str) -> ModelCard:
    return replace(CARD, version=number)


def wrong_answers(number: str) -> ModelCard:
    """A card that is right in all but what the graph answers."""
    rows = tuple((first + 1.0, *rest) for first, *rest in CARD.check.outputs)
    return replace(CARD, version=number, check=RecordedCheck(CARD.check.inputs, rows))


def card_of(file: bytes, number: str) -> ModelCard:
    return replace(CARD, version=number, sha256=fingerprint(file), size_bytes=len(file))


def bundle(
    card: ModelCard, file: bytes = FILE, key: Ed25519PrivateKey = KEY, name: str = "office", valid_d: float = 30
) -> dict[str, str]:  # fmt: skip
    body = packed(written(card), file, WALL - timedelta(days=40), WALL + timedelta(days=valid_d))
    return envelope(name, body, key.sign(encoded(body, TYPE)))


def ship(folder: Path, card: ModelCard, file: bytes = FILE) -> Path:
    """As models lie in the programme."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{card.name}.json").write_bytes(written(card))
    (folder / f"{card.name}.tflite").write_bytes(file)
    return folder


def text(found: dict[str, str]) -> bytes:
    return json.dumps(found).encode()
