"""Who may ask for what: by the way a command came, and by the key that signed it. Asked once, before it is obeyed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.domain.command import Command, Verb
from edge_agent.domain.settings import SettingFault, identifier, one_of, require

EVERY = "all"  # in place of a list of verbs
# A wrong weight becomes the stock, a wrong limit the law of the room, a reload takes another configuration, and an
# alarm out of service is silent without end, another model changes every forecast:
DANGEROUS = (Verb.TARE, Verb.ZERO, Verb.CALIBRATE, Verb.SET, Verb.RELOAD, Verb.OUT_OF_SERVICE, Verb.MODEL)
KEY_BYTES = 32  # Ed25519: RFC 8032, section 5.1.5
_VERBS = (EVERY, *(verb.value for verb in Verb))
_OVER_MQTT = "mqtt"
_LISTS = {_OVER_MQTT: "mqtt", "local": "local"}  # source -> key of the configuration; all others: inbox


@dataclass(frozen=True, slots=True)
class KeySettings:
    """`[[commands.key]]`: the public half of a key that signs commands (`edge-agent key new`)."""

    name: str
    public_key: str  # base64 of its 32 bytes
    verbs: tuple[str, ...] = (EVERY,)  # that it may sign

    def __post_init__(self) -> None:
        require(
            identifier("name", self.name),
            key_fault(self.public_key),
            *_verb_faults("verbs", self.verbs),
        )


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """`[commands]`: which verbs each way in may carry, and what needs a signature."""

    mqtt: tuple[str, ...] = (EVERY,)
    local: tuple[str, ...] = (EVERY,)  # the socket of this machine
    inbox: tuple[str, ...] = (EVERY,)  # written into the agent's file by whoever may write there
    signatures: str = "dangerous"  # over MQTT: of the dangerous verbs, of "all", or "off"
    socket: str = "/run/edge-agent/command.sock"  # not opened where its directory is not there
    keys: tuple[KeySettings, ...] = ()

    def __post_init__(self) -> None:
        pairs = [(key, other) for index, key in enumerate(self.keys) for other in self.keys[:index]]
        require(
            *_verb_faults("mqtt", self.mqtt),
            *_verb_faults("local", self.local),
            *_verb_faults("inbox", self.inbox),
            one_of("signatures", self.signatures, ("dangerous", EVERY, "off")),
            _socket_fault(self.socket),
            *(_alike(key, other) for key, other in pairs),
        )


def _alike(key: KeySettings, other: KeySettings) -> SettingFault | None:
    """A signature does not say under which name it was made: of two names of one key the one with more verbs counts."""
    if key.name == other.name:
        return SettingFault("keys", key.name, "tables of different names: a key above is called so")
    if public_bytes(key.public_key) == public_bytes(other.public_key):
        return SettingFault("keys", key.name, f"a key of its own: {other.name} has the same public_key")
    return None


def public_bytes(text: str) -> bytes | None:
    """
    >>> public_bytes("AAAA") is None, len(public_bytes("A" * 43 + "="))
    (True, 32)
    """
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == KEY_BYTES else None


def key_fault(public_key: str) -> SettingFault | None:
    """Of the public half of any key that signs something for this node."""
    right = "base64 of the 32 bytes of an Ed25519 public key: edge-agent key new tells it"
    return None if public_bytes(public_key) else SettingFault("public_key", public_key, right)


def refusal(command: Command, settings: CommandSettings) -> str | None:
    """Why this command may not be obeyed, in words for its sender; None when it may."""
    listed = _LISTS.get(command.source, "inbox")
    if not _lists(getattr(settings, listed), command.verb):
        return f"{command.verb} is not among the verbs of commands.{listed} in the configuration"
    if command.seal is not None:
        return _of_key(command.verb, command.seal.key, settings)
    if command.source == _OVER_MQTT and _needs_signature(command.verb, settings.signatures):
        keys = "" if settings.keys else ", and no [[commands.key]] is configured"
        return f'over MQTT {command.verb} needs a signature (commands.signatures = "{settings.signatures}"{keys})'
    return None


def _of_key(verb: str, name: str, settings: CommandSettings) -> str | None:
    for key in settings.keys:
        if key.name == name:
            return None if _lists(key.verbs, verb) else f"key {name} may not sign {verb}"
    return f"key {name} is not configured any more"


def _needs_signature(verb: str, signatures: str) -> bool:
    return signatures == EVERY or (signatures == "dangerous" and verb in DANGEROUS)


def _lists(verbs: tuple[str, ...], verb: str) -> bool:
    return EVERY in verbs or verb in verbs


def _verb_faults(key: str, verbs: tuple[str, ...]) -> list[SettingFault | None]:
    return [one_of(key, verb, _VERBS, f"verbs, each one of {', '.join(_VERBS)}") for verb in verbs]


def _socket_fault(path: str) -> SettingFault | None:
    """Linux takes 107 bytes (unix(7))."""
    if path == "" or (path.startswith("/") and "\0" not in path and len(path.encode()) <= 107):
        return None
    return SettingFault("socket", path, 'an absolute path of at most 107 bytes, or "" for none')


def described(settings: CommandSettings) -> Mapping[str, Any]:
    """For `meta`: what a central system needs to know before it asks."""
    return {
        "verbs": [verb.value for verb in Verb if _lists(settings.mqtt, verb)],
        "signed": [verb.value for verb in Verb if _needs_signature(verb, settings.signatures)],
        "keys": [key.name for key in settings.keys],
    }
