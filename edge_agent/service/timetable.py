"""Jobs that belong to the calendar: the nightly ones. Asked by the cycle; no thread, no clock of its own.

APScheduler's triggers say when a job is due; its scheduler is not used: it builds every missed run before
it merges them, so that a wall clock that steps a week ahead blocks it for most of a minute.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from edge_agent.domain.instant import ClockState, Instant


@dataclass(slots=True)
class Job:
    name: str
    trigger: BaseTrigger
    run: Callable[[Instant], None]
    next_at: datetime | None = None


class Timetable:
    """Runs each job once when its time has come, however many times it was missed."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def daily(self, name: str, hour: int, minute: int, run: Callable[[Instant], None]) -> None:
        """At that UTC time each day."""
        self._jobs.append(Job(name, CronTrigger(hour=hour, minute=minute, timezone="UTC"), run))

    def rearm(self, now: Instant) -> None:
        """After a step of the wall clock: the next times count from the new present."""
        for job in self._jobs:
            job.next_at = job.trigger.get_next_fire_time(None, now.utc)

    def run_due(self, now: Instant) -> list[str]:
        """The names of the jobs that ran. Nothing runs by a calendar that is not synchronised."""
        if now.clock is ClockState.UNSYNCED:
            return []
        ran = []
        for job in self._jobs:
            if job.next_at is None:
                job.next_at = job.trigger.get_next_fire_time(None, now.utc)
            elif now.utc >= job.next_at:
                job.next_at = job.trigger.get_next_fire_time(None, now.utc)
                job.run(now)
                ran.append(job.name)
        return ran
