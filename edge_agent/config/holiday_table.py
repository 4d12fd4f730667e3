"""Public holidays, asked of the package `holidays` in a process of its own: here it would hold 15 MB for good."""

import json
from collections.abc import Iterable, Mapping
from datetime import date

from edge_agent.config.own_process import answer

_REGIONS = (
    "import json, holidays\n"
    "print(json.dumps({k: list(v) for k, v in holidays.list_supported_countries(include_aliases=False).items()}))"
)
_DAYS = (
    "import json, sys, holidays\n"
    "country, region, *years = json.loads(sys.argv[1])\n"
    "found = holidays.country_holidays(country, subdiv=region, years=years)\n"
    "print(json.dumps([day.isoformat() for day in found]))"
)


def regions() -> Mapping[str, list[str]]:
    """Of each country. Raises OSError where the package does not answer."""
    found: Mapping[str, list[str]] = json.loads(_asked(_REGIONS))
    return found


def days(country: str, region: str | None, years: Iterable[int]) -> frozenset[date]:
    """Raises OSError where the package does not answer."""
    told = json.loads(_asked(_DAYS, json.dumps([country, region, *sorted(years)])))
    return frozenset(date.fromisoformat(day) for day in told)


def _asked(script: str, *words: str) -> bytes:
    try:
        return answer(script, *words)
    except OSError as error:
        raise OSError(f"the package `holidays` failed: {error}") from error
