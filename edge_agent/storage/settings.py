"""Where the files lie, how often they are written and how large they may grow."""

from dataclasses import dataclass

from edge_agent.domain.settings import SettingFault, require, within


@dataclass(frozen=True, slots=True)
class StorageSettings:
    directory: str = "/var/lib/edge-agent"
    batch_s: float = 10.0  # telemetry is committed at least this often: the loss window of a power cut
    budget_mb: int = 512  # beyond it the oldest telemetry is thinned; stock events and alarms never
    telemetry_days: int = 400  # telemetry older than this goes
    grace_days: int = 7  # acknowledged messages stay this long for `cmd/replay`
    record_days: int = 1100  # the inspector's record stays this long: at least two years

    def __post_init__(self) -> None:
        require(
            None if self.directory.strip() else SettingFault("directory", self.directory, "the path of a directory"),
            within("batch_s", self.batch_s, 0.1, 600, "s"),
            within("budget_mb", self.budget_mb, 16, 65536, "MB"),
            within("telemetry_days", self.telemetry_days, 1, 3650, "days"),
            within("grace_days", self.grace_days, 0, 365, "days"),
            within("record_days", self.record_days, 731, 36500, "days"),
        )
