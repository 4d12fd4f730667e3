"""A signed command: verified as the bytes it came in, and only then read (docs/decisions/013-signed-commands.md).

    {"key": "office", "signed": "<base64 of the command's bytes>", "signature": "<base64 of 64 bytes>"}

The form is DSSE's (https://github.com/secure-systems-lab/dsse): the signature is over the pre-authentication encoding
of the type and the bytes, so there is no canonical JSON to get wrong, and no key of another purpose can be abused.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge_agent.decide.authority import CommandSettings, public_bytes

FIELDS = frozenset({"key", "signed", "signature"})
TYPE = "application/vnd.storeroom.command.v1+json"
SIGNATURE_BYTES = 64

Verify = Callable[[str, bytes, bytes], bool]  # (name of the key, what was signed, the signature)


@dataclass(frozen=True, slots=True)
class Sealed:
    """The envelope, taken apart; nothing in it is believed yet."""

    key: str
    body: bytes
    signature: bytes


def encoded(body: bytes, kind: str = TYPE) -> bytes:
    """The bytes that are signed: DSSE's PAE.

    >>> encoded(b"{}")
    b'DSSEv1 41 application/vnd.storeroom.command.v1+json 2 {}'
    """
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(body), body)


def sealed_in(body: Mapping[str, object]) -> Sealed | None:
    """None when there is no signature in it. Raises ValueError for an envelope that is none."""
    if not FIELDS & body.keys():
        return None
    if body.keys() != FIELDS:
        odd = ", ".join(sorted(FIELDS ^ body.keys()))[:80]
        raise ValueError(f"a signed command has the members key, signed and signature, and no other: {odd}")
    key, signed, signature = (body[name] for name in ("key", "signed", "signature"))
    if not (isinstance(key, str) and isinstance(signed, str) and isinstance(signature, str)):
        raise ValueError("key, signed and signature must be texts")
    found = Sealed(key, _from_base64("signed", signed), _from_base64("signature", signature))
    if len(found.signature) != SIGNATURE_BYTES:
        raise ValueError(f"signature has {len(found.signature)} bytes: must be {SIGNATURE_BYTES}")
    return found


def _from_base64(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{name} is not base64: {error}") from error


def no_key(key: str, signed: bytes, signature: bytes) -> bool:
    """Of a node that has no keys."""
    return False


def verifier(settings: CommandSettings) -> Verify:
    """Checks the signatures of commands."""
    return verifier_by({key.name: public_bytes(key.public_key) or b"" for key in settings.keys})


def verifier_by(public: Mapping[str, bytes]) -> Verify:
    """Checks signatures by these keys; the library is only loaded where there are any."""
    if not public:
        return no_key
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    keys = {name: Ed25519PublicKey.from_public_bytes(key) for name, key in public.items()}

    def verify(key: str, signed: bytes, signature: bytes) -> bool:
        if key not in keys:
            return False
        try:
            keys[key].verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    return verify


class TooMany(Exception):
    """Nobody looks at further signatures now."""


def at_most(most: int, verify: Verify) -> Verify:
    """For one cycle: a signature costs a hundred times what a refusal costs, and anybody may send a wrong one.

    Raises TooMany beyond that.
    """
    left = iter(range(most))

    def verify_one(key: str, signed: bytes, signature: bytes) -> bool:
        if next(left, None) is None:
            raise TooMany
        return verify(key, signed, signature)

    return verify_one


def envelope(key: str, body: bytes, signature: bytes) -> dict[str, str]:
    """The payload of a signed command."""
    return {"key": key, "signed": base64.b64encode(body).decode(), "signature": base64.b64encode(signature).decode()}
