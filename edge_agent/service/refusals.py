"""Who asked for what they had no right to: each refusal a row of the audit, and in a flood their number."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import Instant

MOST = 60  # rows within PERIOD_S: anybody may be refused at any rate, and rows are writes to the card
PERIOD_S = 60.0
_ARGUMENTS_CHARS = 1000


class Refusals:
    """Of commands that never were in the inbox."""

    def __init__(self) -> None:
        self._since: Instant | None = None
        self._written = self._left_out = 0

    def rows(self, refused: Iterable[CommandResult], now: Instant) -> list[CommandResult]:
        """What is to be written down of these, and of those before that were too many."""
        found = []
        if self._since is not None and self._since.age_s(now) >= PERIOD_S:
            found += self.rest(now)
            self._since, self._written = None, 0
        for result in _unauthorised(refused):
            self._since = self._since or now
            if self._written < MOST:
                self._written += 1
                found.append(_row(result))
            else:
                self._left_out += 1
        return found

    def rest(self, now: Instant) -> list[CommandResult]:
        """The number of those that have no row of their own, once."""
        if not self._left_out:
            return []
        words = f"{self._left_out} more were refused within a minute: too many to be written down one by one"
        self._left_out = 0
        return [CommandResult(Command("", "", {}, "", now), ResultCode.UNAUTHORIZED, now, words)]


def _unauthorised(refused: Iterable[CommandResult]) -> Iterator[CommandResult]:
    return (result for result in refused if result.code is ResultCode.UNAUTHORIZED)


def _row(result: CommandResult) -> CommandResult:
    """Under no id, and without its nonce: else the rightful command that comes later would be a duplicate."""
    command = result.command
    said = f"{command.cmd_id}: {result.message}" if command.cmd_id else result.message
    if command.seal is not None:
        said += f" (signed by {command.seal.key})"
    is_short = len(json.dumps(dict(command.arguments))) <= _ARGUMENTS_CHARS
    kept = replace(command, cmd_id="", seal=None, arguments=command.arguments if is_short else {})
    return replace(result, command=kept, message=said)
