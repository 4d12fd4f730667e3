"""Commands about the models: what is asked, read and checked in its words; files and signatures are the service's."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.decide.authority import key_fault
from edge_agent.domain.command import Command
from edge_agent.domain.settings import SettingFault, identifier, require, within

MAX_REASON_CHARS = 200
_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
_KEYS = {"who", "action", "name", "bundle", "reason"}


class Action(StrEnum):
    INSTALL = "install"  # a signed bundle: in shadow beside the model in use, or at once where none is in use
    PROMOTE = "promote"  # the shadow takes the place of the model in use, which is kept
    ROLLBACK = "rollback"  # the shadow goes; where there is none, the model before comes back


@dataclass(frozen=True, slots=True)
class ChangeModel:
    """What only the service can do; it answers the command."""

    command: Command
    action: Action
    name: str = ""  # of the model; of a bundle its card says it
    bundle: Mapping[str, object] | None = None  # the envelope, of install
    reason: str = ""  # said by whoever asks


@dataclass(frozen=True, slots=True)
class ModelKeySettings:
    """`[[models.key]]`: the public half of a key that signs models. None of `[[commands.key]]`: who may tare a scale
    need not be who trains a model."""

    name: str
    public_key: str  # base64 of its 32 bytes

    def __post_init__(self) -> None:
        require(identifier("name", self.name), key_fault(self.public_key))


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """`[models]`: whether models take part, who may send new ones, and how long these are watched."""

    enabled: bool = True  # false: physics and simple methods alone, and no runtime is needed
    shadow_days: int = 14  # a new model runs beside the old one before it takes its place; 0: until somebody says so
    shadow_outcomes: int = 200  # and so many real outcomes
    keys: tuple[ModelKeySettings, ...] = ()

    def __post_init__(self) -> None:
        names = [key.name for key in self.keys]
        twice = [name for name in names if names.count(name) > 1]
        require(
            within("shadow_days", self.shadow_days, 0, 90, "days"),
            within("shadow_outcomes", self.shadow_outcomes, 1, 1_000_000),
            SettingFault("keys", twice[0], "tables of different names: a key above is called so") if twice else None,
        )


def read(command: Command) -> ChangeModel:
    """Raises ValueError, for its sender."""
    said = command.arguments
    _check_keys(said)
    action = said.get("action")
    if action not in list(Action):
        raise ValueError(f"action = {str(action)[:40]!r}: must be one of {', '.join(Action)}")
    name, bundle, reason = said.get("name", ""), said.get("bundle"), said.get("reason", "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON_CHARS or not reason.isprintable():
        raise ValueError(f"reason: must be up to {MAX_REASON_CHARS} printable characters")
    if action == Action.INSTALL:
        if not isinstance(bundle, Mapping):
            raise ValueError("bundle: must be what `edge-agent models sign` wrote, with key, signed and signature")
        return ChangeModel(command, Action.INSTALL, bundle=bundle, reason=reason)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"name = {str(name)[:40]!r}: must be the name of a model, see `edge-agent models list`")
    return ChangeModel(command, Action(str(action)), name=name, reason=reason)


def _check_keys(said: Mapping[str, object]) -> None:
    odd: Sequence[str] = sorted(said.keys() - _KEYS)
    if odd:
        raise ValueError(f"{odd[0][:40]}: is none of {', '.join(sorted(_KEYS))}")
