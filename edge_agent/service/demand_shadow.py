"""The night's comparison of a new demand model with the one in use, on the days that came since the last one.

Both forecast such a day as it could be seen a day and a week before; nothing needs to be kept from night to night but
the sums (``Models.record``), and a night that was missed is made up. Days that a product ran out on do not count.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from edge_agent.domain.instant import Instant
from edge_agent.inference.shadow import Judgement
from edge_agent.service.models import InUse, Models

if TYPE_CHECKING:  # numpy is not for the start
    from edge_agent.demand.shop_state import ShopState
    from edge_agent.service.shop_days import ShopDays

log = logging.getLogger(__name__)

MOST_DAYS = 7  # in one night


@dataclass(frozen=True, slots=True)
class Contest:
    """``upto``: the last day that is in the sums; None before the first."""

    upto: Callable[[], date | None]
    record: Callable[[date, Iterable[tuple[float, float]], Instant], Judgement | None]


def contest_of(models: Models, name: str) -> Contest:
    def upto() -> date | None:
        found = models.compared(name)
        return found[0].days[-1].day if found is not None and found[0].days else None

    return Contest(upto, lambda day, pairs, now: models.record(name, day, pairs, now))


def compare(found: "ShopDays", in_use: InUse, state: "ShopState | None", contest: Contest | None, now: Instant) -> int:
    """Answers how many days came to the sums. ``state``: what the shop's forecasts were made with before this night."""
    if contest is None or in_use.model is None or in_use.shadow is None:
        return 0
    from edge_agent.demand.contest import losses

    panel, count = found.panel, 0
    for day in _days(contest.upto(), panel.first, panel.day(panel.days - 1)):
        column = (day - panel.first).days
        pairs = losses(panel, column, ~found.ran_out[:, column], in_use.shadow, in_use.model, state)
        if not pairs:
            continue
        count += 1
        if contest.record(day, pairs, now) is None:
            break  # decided meanwhile
    log.debug("demand: %d days compared, of version %s", count, in_use.shadow.version)
    return count


def _days(upto: date | None, first: date, last: date) -> list[date]:
    """Of a model that is new here only the last: it may have been made from the days before.

    >>> [day.day for day in _days(None, date(2026, 11, 1), date(2026, 11, 22))]
    [22]
    >>> [day.day for day in _days(date(2026, 11, 20), date(2026, 11, 1), date(2026, 11, 22))]
    [21, 22]
    """
    begin = last if upto is None else max(upto + timedelta(days=1), last - timedelta(days=MOST_DAYS - 1))
    begin = max(begin, first)
    return [begin + timedelta(days=step) for step in range((last - begin).days + 1)]
