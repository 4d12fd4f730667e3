"""What answers to commands have in common: who asked, and a value quoted briefly."""

from edge_agent.domain.command import Command

MAX_WHO_CHARS = 64


def who(command: Command) -> str:
    """The way it came, the person as far as the sender says, and what proves it: a key, or the kernel's word.

    Raises ValueError for a name that is none.

    >>> from edge_agent.domain.instant import Instant
    >>> who(Command("1", "acknowledge", {"who": "ann"}, "cli", Instant(0, 0, "boot")))
    'cli:ann'
    >>> who(Command("1", "acknowledge", {"who": "ann"}, "local", Instant(0, 0, "boot"), peer="till uid=1000 pid=7"))
    'local:ann (till)'
    """
    said = command.arguments.get("who", "")
    if not isinstance(said, str) or len(said) > MAX_WHO_CHARS or not said.isprintable():
        raise ValueError(f"who = {short(said)}: must be up to {MAX_WHO_CHARS} printable characters")
    proved = command.seal.key if command.seal is not None else command.peer.partition(" ")[0]
    name = said.strip()
    if name and proved and name != proved:
        return f"{command.source}:{name} ({proved})"
    return f"{command.source}:{name or proved}" if name or proved else command.source


def short(value: object) -> str:
    """
    >>> short("x" * 100)[-5:]
    'xx...'
    """
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."
