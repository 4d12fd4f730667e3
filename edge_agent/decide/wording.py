"""What answers to commands have in common: who asked, and a value quoted briefly."""

from edge_agent.alerts.life import NotPossible
from edge_agent.domain.command import Command

MAX_WHO_CHARS = 64


def who(command: Command) -> str:
    """The way it came, the person as far as the sender says, and what proves it: a key, or the kernel's word.

    Nobody's own words look like a proof: that stands in parentheses, and a name has none. Raises NotPossible for
    one that is none.

    >>> from edge_agent.domain.instant import Instant
    >>> who(Command("1", "acknowledge", {"who": "ann"}, "cli", Instant(0, 0, "boot")))
    'cli:ann'
    >>> who(Command("1", "acknowledge", {"who": "ann"}, "local", Instant(0, 0, "boot"), peer="till uid=1000 pid=7"))
    'local:ann (till)'
    >>> from edge_agent.domain.command import Seal
    >>> who(Command("1", "set", {"who": "ann"}, "mqtt", Instant(0, 0, "boot"), seal=Seal("office", "n" * 16)))
    'mqtt:ann (key office)'
    """
    said = command.arguments.get("who", "")
    if not isinstance(said, str) or len(said) > MAX_WHO_CHARS or not said.isprintable() or set(said) & {"(", ")"}:
        raise NotPossible(f"who = {short(said)}: must be up to {MAX_WHO_CHARS} printable characters, no parentheses")
    name, user = said.strip(), command.peer.partition(" ")[0]
    told = f"{command.source}:{name or user}" if name or user else command.source
    if command.seal is not None:
        return f"{told} (key {command.seal.key})"
    return f"{told} ({user})" if name and user and name != user else told


def short(value: object) -> str:
    """
    >>> short("x" * 100)[-5:]
    'xx...'
    """
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."
