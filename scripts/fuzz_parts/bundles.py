"""Models that are none: what somebody with the right to send commands, or with the very key of models, may send."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.inference.bundle import TYPE, packed
from edge_agent.mqtt.signed import encoded, envelope

MOST_BYTES = 4000  # of a body: hundreds of payloads share what one cycle reads
_CARD = (
    b'{"form":1,"name":"demand","version":"9.9","task":"demand","made_at":"2026-03-01T00:00:00+00:00","sha256":"'
    + b"0" * 64
    + b'","size_bytes":8,"input_scale":0.1,"input_zero_point":0,"output_scale":0.1,"output_zero_point":0,'
    b'"inputs":[{"name":"a","unit":"1","low":0,"high":1}],"outputs":[{"name":"p","unit":"1"}],"training":[],'
    b'"metrics":{},"notes":"","check":{"inputs":[[0]],"outputs":[[0]]}}'
)


def arguments(random: Random, maker: Ed25519PrivateKey, thief: Ed25519PrivateKey, now_s: float) -> dict[str, Any]:
    """Of the verb `model`; none of them may change anything."""
    kinds: list[Callable[[], dict[str, Any]]] = [
        lambda: {"action": random.choice(["promote", "rollback"]), "name": random.choice(["tiny", "x", "..", "", 7])},
        lambda: {"action": random.choice(["delete", None, [], "INSTALL"]), "name": "tiny"},
        lambda: {"action": "install", "bundle": random.choice([None, [], "x" * 100, {}, {"key": "maker"}, {"a": {}}])},
        lambda: {"action": "install", "bundle": _sealed(_body(random, now_s), thief, "maker")},
        lambda: {"action": "install", "bundle": _sealed(_body(random, now_s), maker, random.choice(["x", "office"]))},
        lambda: {"action": "install", "bundle": _sealed(_body(random, now_s), maker, "maker")},
        lambda: {"action": "install", "bundle": _sealed(_damaged(random, now_s), maker, "maker")},
    ]
    return random.choice(kinds)()


def _sealed(body: bytes, key: Ed25519PrivateKey, name: str) -> dict[str, str]:
    return envelope(name, body, key.sign(encoded(body, TYPE)))


def _body(random: Random, now_s: float) -> bytes:
    """Whole in its form, with a graph that is none."""
    issued, until = (datetime.fromtimestamp(now_s + shift_s, UTC) for shift_s in (-60, 3600))
    return packed(_CARD, random.randbytes(random.choice([0, 8, 500])), issued, until)[:MOST_BYTES]


def _damaged(random: Random, now_s: float) -> bytes:
    found = bytearray(_body(random, now_s))
    for _ in range(random.randint(1, 4)):
        found[random.randrange(len(found))] ^= 1 << random.randrange(8)
    return bytes(found[: random.randint(1, len(found))])
