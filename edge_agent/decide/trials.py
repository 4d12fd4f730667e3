"""`test-alarm`: what a person asks for, to the trial that the next cycles show."""

from dataclasses import replace

from edge_agent.alerts import trial
from edge_agent.alerts.life import NotPossible
from edge_agent.decide.memory import Memory
from edge_agent.decide.wording import short, who
from edge_agent.domain.alarm import Priority
from edge_agent.domain.command import Command
from edge_agent.domain.instant import Instant


def carry_out(memory: Memory, command: Command, at: Instant) -> tuple[Memory, str, dict[str, object]]:
    """The memory, and the answer in words and in figures. Raises ValueError (NotPossible) for what cannot be."""
    seconds, priority = command.arguments.get("seconds", trial.USUAL_S), command.arguments.get("priority", "high")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise NotPossible(f"seconds = {short(seconds)}: must be a number")
    if priority not in list(Priority):
        raise NotPossible(f"priority = {short(priority)}: must be one of {', '.join(Priority)}")
    begun = trial.begin(memory.alarms, memory.trial, float(seconds), Priority(str(priority)), who(command), at)
    words = f"the alarm {trial.NAME} stands for {seconds:g} s, or until a real one calls"
    return replace(memory, trial=begun), words, {"alarm": trial.NAME, "until": begun.until.rfc3339()}
