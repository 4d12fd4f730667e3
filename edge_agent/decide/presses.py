"""What presses of the panel's button do to the alarms."""

from collections.abc import Iterable

from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.alerts.button import Act, act_of
from edge_agent.decide import alarms
from edge_agent.decide.memory import Memory
from edge_agent.domain.alarm import AlarmTransition
from edge_agent.domain.annunciation import Press


def obey(memory: Memory, settings: AlarmSettings, presses: Iterable[Press]) -> tuple[Memory, list[AlarmTransition]]:
    """One after another. Which node this is, the panel shows by itself."""
    acts: list[AlarmTransition] = []
    for press in presses:
        match act_of(press):
            case Act.ACKNOWLEDGE:
                found = alarms.acknowledge_all(memory.alarms, alarms.BUTTON, press.at)
            case Act.SILENCE:
                found = alarms.silence_all(memory.alarms, settings, alarms.BUTTON, press.at)
            case Act.ADDRESS:
                found = []
        memory = alarms.with_acts(memory, found)
        acts += found
    return memory, acts
