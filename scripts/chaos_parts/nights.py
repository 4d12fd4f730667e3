"""The night's work among the kills: what was learnt is as it was, or what the same data teach, byte for byte."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path

from chaos_parts.committed import Committed
from chaos_parts.rig import NODE
from edge_agent.config import load
from edge_agent.decide.models import ModelSettings
from edge_agent.domain.instant import Instant
from edge_agent.drivers.system_clock import SystemClock
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.demand import MODEL, NIGHT, STATE, Places, due_night, night
from edge_agent.service.model_store import FOLDER, ModelStore
from edge_agent.service.models import Models, shipped_directory
from edge_agent.storage.inbox import FILE_NAME
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store


@dataclass(slots=True)
class Nights:
    """Looks at the file before and after each life of the agent."""

    config: Path
    state: Path
    begun: int = 0  # lives in which a night's work was due
    whole: int = 0
    faults: list[str] = field(default_factory=list)
    _before: tempfile.TemporaryDirectory[str] | None = None
    _memory: Mapping[str, bytes] = field(default_factory=dict)
    _told: int = 0  # messages with forecasts

    def before(self, committed: Committed) -> bool:
        """Whether a night's work is due in the next life; then nothing else may change what it learns from."""
        self._memory, self._told = dict(committed.memory), len(committed.of_stream("forecast"))
        due = due_night(self._now(), (settings := load(self.config)).shop, settings.demand.hour)
        if due is None or due == made_on(self._memory):
            return False
        self.begun += 1
        self._before = tempfile.TemporaryDirectory(prefix="chaos-night-")
        for suffix in ("", "-wal"):
            file = self.state / f"{FILE_NAME}{suffix}"
            if file.exists():
                shutil.copyfile(file, Path(self._before.name) / file.name)
        return True

    def after(self, committed: Committed) -> None:
        """Judges what a killed life left behind."""
        now, told = committed.memory, len(committed.of_stream("forecast")) - self._told
        if now.get(NIGHT) == self._memory.get(NIGHT):
            if now.get(STATE) != self._memory.get(STATE) or told:
                self.faults.append(f"without a night: another state, or {told} forecasts")
        elif self._before is None:
            self.faults.append("a night's work that was not due")
        else:
            self._judge(committed, told)
        if self._before is not None:
            self._before.cleanup()
            self._before = None

    def _judge(self, committed: Committed, told: int) -> None:
        assert self._before is not None
        settings, made = load(self.config), made_on(committed.memory)
        assert made is not None
        directory = Path(self._before.name)
        models = Models(ModelSettings(), ModelStore(directory / FOLDER), shipped_directory())
        with closing(Store.open(StorageSettings(directory=str(directory)), NODE, self._now())) as store:
            places = Places(store, settings.products, settings.shop, settings.demand, partial(models.use, MODEL))
            again = night(places, made, self._now())
        self.whole += 1
        if committed.memory.get(STATE) != again.rows.get(STATE, self._memory.get(STATE)):
            self.faults.append(f"{made}: another state than the same data teach")
        if told != len(settings.products):
            self.faults.append(f"{made}: {told} forecasts for {len(settings.products)} products")

    def _now(self) -> Instant:
        return ClockWatch(SystemClock(max_error_us=lambda: 0)).now()


def made_on(memory: Mapping[str, bytes]) -> date | None:
    return date.fromisoformat(json.loads(memory[NIGHT])["made"]) if NIGHT in memory else None
