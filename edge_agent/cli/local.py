"""The agent of this machine over its socket: no broker, and no right to write into its files is needed."""

import json
import socket
import uuid
from collections.abc import Mapping

from edge_agent.cli.common import machine_now
from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import Settings
from edge_agent.domain.command import Command, CommandResult, ResultCode

ANSWER_S = 12.0  # longer than the agent waits for its cycle
_LONGEST_ANSWER = 1 << 20


def ask_locally(chosen: Settings, verb: str, wanted: Mapping[str, object]) -> CommandResult | None:
    """None when nobody of this name listens there, or we may not connect: there is the inbox then.

    Raises CliError when it was asked and gave no answer: it may have obeyed, so it must not be asked another way.
    """
    if not chosen.commands.socket:
        return None
    command = Command(f"local-{uuid.uuid4()}", verb, wanted, "local", machine_now())
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, client.makefile("rb") as answers:
        try:
            client.settimeout(ANSWER_S)
            client.connect(chosen.commands.socket)
            if answers.readline(256) != f"{chosen.node.site}/{chosen.node.name}\n".encode():
                return None  # of another agent, or it has no place for us
        except OSError:
            return None
        try:
            client.sendall(f"{verb} {json.dumps({'cmd_id': command.cmd_id, **wanted})}\n".encode())
            return _result(command, answers.readline(_LONGEST_ANSWER))
        except (OSError, ValueError, KeyError, TypeError) as error:
            words = f"the agent was asked over {chosen.commands.socket} and did not answer; it may have obeyed"
            raise CliError(Exit.NO_AGENT, words) from error


def _result(command: Command, answer: bytes) -> CommandResult:
    """Raises ValueError, KeyError or TypeError for what is no answer: the agent was stopped half-way."""
    found = json.loads(answer)
    return CommandResult(
        command, ResultCode(found["code"]), machine_now(), str(found["message"]), dict(found["detail"])
    )  # fmt: skip
