"""When the lives of the lots are reckoned anew: each hour, and when goods came, moved, or their room turned warm.

The reckoning itself (``life_work``) needs numpy and the models. Both are imported with the first lot, by the thinker's
thread: an agent without lots stays as small as it was.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_agent.alerts.condition import Condition
from edge_agent.config.shop import ShopSettings
from edge_agent.decide import Memory
from edge_agent.domain.alarm import Priority
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Lot, Stay
from edge_agent.domain.product import Product
from edge_agent.lots.alone import weighings
from edge_agent.lots.keeping import Lives
from edge_agent.mqtt.messages import LIVES_S
from edge_agent.service.local_days import zone_of
from edge_agent.service.thinker import Thinker, Thought

if TYPE_CHECKING:
    from edge_agent.service.life_shadow import Record
    from edge_agent.service.models import InUse

log = logging.getLogger(__name__)

TASK = "lives"
SOON_S = 60.0  # after a change; several deliveries are reckoned together
HUNG_S = 900.0  # 200 lots take less than a second
WARMER_C = 2.0  # than at the last reckoning: worth another
CLOCK_S = 1800.0  # so long after a power cut the clock may come and say how long it was: as the food clock waits


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a reckoning rests on; another one is worth it when this changes."""

    stays: tuple[tuple[str, tuple[Stay, ...]], ...] = ()
    airs_c: tuple[tuple[str, float], ...] = ()


class LivesJob:
    """Asks the thinker, and takes what it found into the next cycle."""

    def __init__(
        self,
        products: Sequence[Product],
        shop: ShopSettings,
        model: "Callable[[], InUse]",
        thinker: Thinker,
        record: "Record | None" = None,
    ) -> None:
        """``record`` of a comparison: how a new model and the one in use did on lots whose end is known."""
        self._products = {product.gtin: product for product in products}
        self._shop, self._model, self._thinker, self._record = shop, model, thinker, record
        self._asked: Instant | None = None  # and not answered yet
        self._made: Instant | None = None  # when the last one was asked for
        self._looked: Instant | None = None  # first, at any lot
        self._seen = _Seen()
        self._fault = ""
        self._found: Lives | None = None

    def look(self, memory: Memory, now: Instant) -> None:
        """Each cycle; cheap while nothing changed."""
        if self._asked is not None or self._found is not None or not memory.register.lots:
            return
        lots = tuple(lot for lot in memory.register.lots.values() if lot.is_open)
        self._forget_closed(lots)
        if not lots or self._waits_for_clock(memory, now) or not self._is_due(memory, lots, now):
            return
        if self._thinker.ask(TASK, self._question(memory, lots, now), HUNG_S):
            self._asked = self._made = now
            self._seen = _seen(lots, memory)

    def _forget_closed(self, lots: Sequence[Lot]) -> None:
        """When goods come back and open a lot anew, its topic, which was emptied, is worth a reckoning."""
        if len(lots) < len(self._seen.stays):
            names = {lot.id for lot in lots}
            self._seen = replace(self._seen, stays=tuple(each for each in self._seen.stays if each[0] in names))

    def _waits_for_clock(self, memory: Memory, now: Instant) -> bool:
        """What the lots lay in while the power was gone cannot be told without its length."""
        if self._made is not None or now.clock is not ClockState.UNSYNCED:
            return False
        self._looked = self._looked or now
        is_cut = any(keeping.upto.boot != now.boot for keeping in memory.keepings.values())
        return is_cut and self._looked.age_s(now) < CLOCK_S

    def _is_due(self, memory: Memory, lots: Iterable[Lot], now: Instant) -> bool:
        since_s = float("inf") if self._made is None else self._made.age_s(now)
        if since_s < SOON_S or since_s >= LIVES_S:
            return since_s >= LIVES_S
        return _is_news(self._seen, _seen(lots, memory))

    def _question(self, memory: Memory, lots: tuple[Lot, ...], now: Instant) -> Callable[[], Lives]:
        """Everything that is needed, taken now: values that nobody changes."""
        keepings, airs = dict(memory.keepings), dict(memory.airs)
        learnt, outcomes = memory.learnt_lives, memory.outcomes
        weighed = weighings(memory.register)

        def answer() -> Lives:
            from edge_agent.service import life_shadow, life_work

            zone, used = zone_of(self._shop), self._model()
            question = life_work.Question(now, lots, keepings, airs, self._products, zone, learnt, outcomes, weighed)
            found = life_work.answer(question, used.model, used.shadow)
            if used.model is not None and used.shadow is not None and self._record is not None:
                versions = (used.shadow.version, used.model.version)
                life_shadow.compare(outcomes, keepings, versions, zone, self._record, now)
            return found

        return answer

    def take(self, thought: Thought, now: Instant) -> None:
        self._asked = None
        if not isinstance(thought.result, Lives):
            self._fault = f"{type(thought.error).__name__}: {thought.error}"
            return
        self._fault, self._found = "", thought.result
        for note in thought.result.notes:
            log.warning("lots: %s", note)

    def found(self) -> Lives | None:
        """For the next cycle, once."""
        found, self._found = self._found, None
        return found

    def conditions(self) -> list[Condition]:
        """Nothing while there was never a lot."""
        if self._made is None:
            return []
        fault = self._fault or self._thinker.trouble(TASK)
        return [
            Condition(
                "lot-lives",
                bool(fault),
                Priority.LOW,
                "The remaining lives of the lots are not reckoned; measuring and warning go on"
                if fault
                else "The remaining lives of the lots are reckoned",
                "Go by the dates on the goods; look at the log: journalctl -u edge-agent",
                fault,
            )
        ]


def _seen(lots: Iterable[Lot], memory: Memory) -> _Seen:
    airs = ((place, air.air_c) for place, air in memory.airs.items() if air.at is not None)
    return _Seen(tuple((lot.id, lot.stays) for lot in lots), tuple(airs))


def _is_news(seen: _Seen, now: _Seen) -> bool:
    """A lot that is gone is none; a room that turned cold again neither."""
    if not set(now.stays) <= set(seen.stays):
        return True
    before = dict(seen.airs_c)
    return any(air_c - before.get(place, air_c) >= WARMER_C for place, air_c in now.airs_c)
