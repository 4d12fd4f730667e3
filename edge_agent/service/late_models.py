"""The models of a node, loaded with the first use there is for them: without products and keys there is none."""

from collections.abc import Callable, Collection, Iterable
from datetime import date
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from edge_agent.alerts.condition import Condition
from edge_agent.config import Settings
from edge_agent.decide.models import ChangeModel
from edge_agent.domain.command import CommandResult
from edge_agent.domain.instant import Instant

if TYPE_CHECKING:
    from edge_agent.inference.shadow import Judgement, Pair
    from edge_agent.service.models import InUse, Models


class LateModels:
    """``Models``, and nothing in its place before the first use."""

    def __init__(self, make: "Callable[[], Models]") -> None:
        self._make, self._lock = make, Lock()
        self._opened: Models | None = None

    def opened(self) -> "Models":
        """From any thread."""
        with self._lock:
            if self._opened is None:
                self._opened = self._make()
            return self._opened

    @property
    def news(self) -> int:
        """Changes with what there is to tell of them."""
        return 0 if self._opened is None else self._opened.news

    def look(self, now: Instant) -> None:
        if self._opened is not None:
            self._opened.look(now)

    def use(self, name: str) -> "InUse":
        return self.opened().use(name)

    def record(self, name: str, day: date, pairs: "Iterable[Pair]", now: Instant) -> "Judgement | None":
        return self.opened().record(name, day, pairs, now)

    def change(self, asked: ChangeModel, now: Instant) -> CommandResult:
        return self.opened().change(asked, now)

    def versions(self) -> list[tuple[str, str | None, str | None]]:
        return [] if self._opened is None else self._opened.versions()

    def standing(self, name: str) -> tuple[str | None, str | None]:
        return (None, None) if self._opened is None else self._opened.standing(name)

    def conditions(self) -> list[Condition]:
        return [] if self._opened is None else list(self._opened.conditions())


def late_models(settings: Settings, alarms: Collection[str]) -> LateModels:
    """``alarms``: names of those that are known; one of a model may have to end."""

    def make() -> "Models":
        from edge_agent.service.models import models_of

        return models_of(settings.models, Path(settings.storage.directory))

    models = LateModels(make)
    if settings.products or settings.models.keys or any(name.startswith("model-") for name in alarms):
        models.opened()
    return models
