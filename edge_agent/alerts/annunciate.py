"""Standing alarms become one light and one sound."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.annunciation import Annunciation, Colour, Light
from edge_agent.domain.instant import Instant

COLOURS = {Priority.HIGH: Colour.RED, Priority.MEDIUM: Colour.YELLOW, Priority.LOW: Colour.CYAN}  # IEC 60601-1-8 t. 2
PULSES = {Priority.HIGH: 5, Priority.MEDIUM: 3, Priority.LOW: 1}
# Within the intervals of IEC 60601-1-8 table 3 (2.5 to 15 s, 2.5 to 30 s, above 15 s): nobody tapes over a buzzer.
EVERY_S = {Priority.HIGH: 10.0, Priority.MEDIUM: 30.0, Priority.LOW: 300.0}
LONGEST_SILENCE_S = 30 * 60.0
RANK = {Priority.HIGH: 3, Priority.MEDIUM: 2, Priority.LOW: 1}

ALIVE = Annunciation(Light.BLIP, Colour.GREEN)  # nothing to say, and a dark light says that nobody watches


def annunciation(alarms: Iterable[Alarm], now: Instant) -> Annunciation:
    """The light of the alarm that most wants somebody, and the sound of the loudest.

    What nobody has seen comes first, then the higher priority. Shelved and out of service is as if it were not.
    """
    shown = [(alarm, light) for alarm in alarms if (light := light_of(alarm)) is not Light.OFF]
    if not shown:
        return ALIVE
    first, light = max(shown, key=_urgency)
    sounding = [alarm.priority for alarm, _ in shown if _sounds(alarm, now)]
    told = Annunciation(light, COLOURS[first.priority])
    if not sounding:
        return told
    loudest = max(sounding, key=RANK.__getitem__)
    return replace(told, pulses=PULSES[loudest], every_s=EVERY_S[loudest])


def light_of(alarm: Alarm) -> Light:
    """Flashing: come. Steady: it holds, and somebody knows. Slow: it is over, and something is still asked for."""
    if alarm.state is AlarmState.ACKNOWLEDGED:
        return Light.STEADY if alarm.is_active and alarm.calm_since is None else Light.SLOW
    if alarm.state is AlarmState.UNACKNOWLEDGED and alarm.calm_since is not None:
        return Light.SLOW  # it keeps coming back, and is over just now
    return _LIGHTS.get(alarm.state, Light.OFF)


_LIGHTS: Mapping[AlarmState, Light] = {
    AlarmState.UNACKNOWLEDGED: Light.FLASHING,
    AlarmState.RETURNED_UNACKNOWLEDGED: Light.SLOW,
}


def while_stuck(told: Annunciation) -> Annunciation:
    """What the panel falls back to when no cycle speaks any more: never quieter than what was told last.

    >>> while_stuck(ALIVE)
    Annunciation(light=<Light.DOUBLE: 'double'>, colour=<Colour.YELLOW: 'yellow'>, pulses=3, every_s=30.0)
    """
    colour = Colour.RED if told.colour is Colour.RED else COLOURS[Priority.MEDIUM]
    if told.pulses >= PULSES[Priority.MEDIUM]:
        return Annunciation(Light.DOUBLE, colour, told.pulses, told.every_s)
    return Annunciation(Light.DOUBLE, colour, PULSES[Priority.MEDIUM], EVERY_S[Priority.MEDIUM])


def _urgency(shown: tuple[Alarm, Light]) -> tuple[bool, int, bool]:
    alarm, light = shown
    return light is Light.FLASHING, RANK[alarm.priority], light is Light.SLOW


def _sounds(alarm: Alarm, now: Instant) -> bool:
    """A silence has an end: one of another boot, or longer than it may be, is over."""
    if alarm.state is not AlarmState.UNACKNOWLEDGED or alarm.calm_since is not None:
        return False
    until = alarm.silenced_until
    return until is None or not 0 < -until.age_s(now) <= LONGEST_SILENCE_S
