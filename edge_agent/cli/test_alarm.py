"""Try light, buzzer and message on the whole way of a real alarm: from the cycle to panel, record and broker.

The running agent raises the alarm `test`, whose message says that nothing is wrong. Somebody presses the panel's button
(or acknowledges it), and this command says after how long. It ends by itself, gives way to any real alarm, and stands
in the inspector's record as a test. Exit code 0 when it was seen and the broker has it, 1 when not, 6 when a real alarm
calls.

edge-agent test-alarm
edge-agent test-alarm --priority low --seconds 60
edge-agent test-alarm --no-wait --json
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from edge_agent.alerts import trial
from edge_agent.cli.alarm_command import user_name
from edge_agent.cli.command import ask_agent, tell
from edge_agent.cli.common import add_config, add_json, add_state, archive, print_json, settings, state_directory
from edge_agent.cli.exits import Exit
from edge_agent.config.settings import PanelSettings
from edge_agent.decide.memory import from_rows
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.command import ResultCode
from edge_agent.domain.message import Stream

LOOK_S = 0.5
ROUND_S = 5.0  # to the broker and back, and a little
_PULSES = {Priority.HIGH: "five pulses", Priority.MEDIUM: "three pulses", Priority.LOW: "one pulse"}


@dataclass(frozen=True, slots=True)
class Seen:
    """How the test fares."""

    state: str
    by: str = ""
    after_s: float | None = None
    waiting: int = 0  # messages about alarms that the broker has not accepted yet


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(
        "--seconds", type=float, default=trial.USUAL_S, metavar="S", help="60 to 600 (default: %(default)g)"
    )
    parser.add_argument("--priority", choices=[each.value for each in Priority], default="high")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until somebody has seen it")
    parser.add_argument("--who", default=None, help="who tries it (default: the user's name)")
    add_config(parser)
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    directory = state_directory(chosen, args.state)
    wanted = {"seconds": args.seconds, "priority": args.priority, "who": args.who or user_name()}
    result = ask_agent(args, "test-alarm", wanted)
    if result.code is not ResultCode.DONE or args.no_wait:
        return tell(result, as_json=args.json, in_words=True)
    if not args.json:
        print(f"TEST ALARM: {panel_words(chosen.panel, Priority(args.priority))}")
        print("Press the button once, or `edge-agent acknowledge test`.", flush=True)
    seen = followed(directory, args.seconds)
    seen = delivered(directory, seen, chosen.storage.batch_s + ROUND_S)
    if args.json:
        print_json(
            {"code": "done", "state": seen.state, "seen_by": seen.by, "after_s": seen.after_s, "waiting": seen.waiting}
        )
    else:
        for line in in_words(seen, args.seconds):
            print(line)
    return Exit.OK if seen.by and not seen.waiting else Exit.FAULT


def panel_words(panel: PanelSettings, priority: Priority) -> str:
    """What there is to see and to hear.

    >>> panel_words(PanelSettings(), Priority.HIGH)
    'no light and no buzzer is configured: the message at the broker is all there is'
    >>> panel_words(PanelSettings(led_pin=23, buzzer_pin=18), Priority.LOW)
    'the light flashes; the buzzer gives one pulse'
    """
    told = []
    if panel.led_pin is not None or panel.red_pin is not None:
        told.append("the light flashes")
    if panel.buzzer_pin is not None:
        told.append(f"the buzzer gives {_PULSES[priority]}")
    return "; ".join(told) or "no light and no buzzer is configured: the message at the broker is all there is"


def followed(directory: Path, seconds: float) -> Seen:
    """Until somebody has seen it, or it is over."""
    deadline = time.monotonic() + seconds + ROUND_S
    while time.monotonic() < deadline:
        alarm = standing(directory)
        if alarm is not None and alarm.acknowledged is not None:
            return Seen(alarm.state.value, alarm.who, max(0.0, alarm.since.age_s(alarm.acknowledged)))
        if alarm is not None and alarm.state is AlarmState.NORMAL:
            return Seen(alarm.state.value)
        time.sleep(LOOK_S)
    return Seen("normal")


def standing(directory: Path) -> Alarm | None:
    with archive(directory) as found:
        row = found.memory().get(f"alarm/{trial.NAME}")
    return None if row is None else from_rows({f"alarm/{trial.NAME}": row}).alarms[trial.NAME]


def delivered(directory: Path, seen: Seen, patience_s: float) -> Seen:
    """With how many messages about alarms the broker has not accepted by then."""
    deadline = time.monotonic() + patience_s
    while (waiting := _waiting(directory)) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return Seen(seen.state, seen.by, seen.after_s, waiting)


def _waiting(directory: Path) -> int:
    with archive(directory) as found:
        streams = found.stats().streams
    return sum(streams[each].pending for each in (Stream.ALARM, Stream.ALARMLOG) if each in streams)


def in_words(seen: Seen, seconds: float) -> list[str]:
    """
    >>> in_words(Seen("acknowledged", "button", 7.2), 120)
    ['seen by button after 7 s', 'the broker has the message', 'the alarm ends by itself']
    """
    by = f"seen by {seen.by} after {seen.after_s:.0f} s" if seen.by else f"nobody saw it within {seconds:g} s"
    sent = "the broker has the message"
    if seen.waiting:
        sent = f"the broker has not got the message ({seen.waiting} wait): see `edge-agent doctor`"
    return [by, sent, *(["the alarm ends by itself"] if seen.state != "normal" else [])]
