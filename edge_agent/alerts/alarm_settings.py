"""How long an alarm may be left to itself: the table ``[alarms]``."""

from dataclasses import dataclass

from edge_agent.domain.alarm import Priority
from edge_agent.domain.settings import SettingFault, require, within

MAX_SILENCE_MIN = 30.0  # sound that was silenced comes back by then
MAX_SHELVE_MIN = 480.0  # one shift
MAX_SHELVE_FOOD_MIN = 30.0  # high, and about the goods: no longer than its sound may be silent
DAY_MIN = 1440.0


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    silence_min: float = 10.0  # how long the sound stays off when nobody says how long
    escalate_min: float = 10.0  # nobody acknowledged an alarm about the goods: one priority higher
    escalate_again_min: float = 30.0  # still nobody: told once more
    realarm_high_min: float = 60.0  # acknowledged, and its condition still holds: it comes back
    realarm_medium_min: float = 240.0
    realarm_low_min: float = DAY_MIN
    disk_free_mb: float = 200.0  # less is the alarm "disk-nearly-full"
    clock_min: float = 60.0  # so long without the right time is the alarm "clock-unsynced"
    broker_min: float = 30.0  # so long without the broker is the alarm "broker-away"
    backlog_messages: int = 20_000  # so many waiting, although the broker is there, is the alarm "backlog"

    def __post_init__(self) -> None:
        is_order_wrong = self.escalate_again_min <= self.escalate_min
        require(
            within("silence_min", self.silence_min, 1, MAX_SILENCE_MIN, "min"),
            within("escalate_min", self.escalate_min, 1, DAY_MIN, "min"),
            within("escalate_again_min", self.escalate_again_min, 2, DAY_MIN, "min"),
            SettingFault("escalate_again_min", self.escalate_again_min, f"above escalate_min = {self.escalate_min:g}")
            if is_order_wrong
            else None,
            *(
                within(key, getattr(self, key), 5, 7 * DAY_MIN, "min")
                for key in ("realarm_high_min", "realarm_medium_min", "realarm_low_min")
            ),
            within("disk_free_mb", self.disk_free_mb, 10, 100_000, "MB"),
            within("clock_min", self.clock_min, 5, DAY_MIN, "min"),
            within("broker_min", self.broker_min, 5, 7 * DAY_MIN, "min"),
            within("backlog_messages", self.backlog_messages, 100, 500_000),
        )

    def realarm_s(self, priority: Priority) -> float:
        minutes = {
            Priority.HIGH: self.realarm_high_min,
            Priority.MEDIUM: self.realarm_medium_min,
            Priority.LOW: self.realarm_low_min,
        }
        return 60 * minutes[priority]
