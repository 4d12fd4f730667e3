"""Exit codes that scripts can use, and the error that carries one."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    FAULT = 1
    USAGE = 2
    CONFIG = 3
    NO_AGENT = 4
    NO_BROKER = 5
    REFUSED = 6
    BAD_TRACE = 7
    INTERRUPTED = 130


EXITS = {
    Exit.OK: "done",
    Exit.FAULT: "something is at fault: a sensor, the disk, a gap; the output names it",
    Exit.USAGE: "the command's words are off",
    Exit.CONFIG: "the configuration has faults; each is named",
    Exit.NO_AGENT: "no agent answers on this machine, or it has no data yet",
    Exit.NO_BROKER: "the broker cannot be reached",
    Exit.REFUSED: "the agent refused the command and says why",
    Exit.BAD_TRACE: "a trace cannot be played",
    Exit.INTERRUPTED: "interrupted",
}


class CliError(Exception):
    def __init__(self, exit: Exit, words: str) -> None:
        super().__init__(words)
        self.exit = exit
