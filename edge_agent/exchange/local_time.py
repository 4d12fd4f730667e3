"""Instants on paper: UTC, and the time on the wall of the place."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = len("2026-11-01 00:00:00")


@lru_cache(maxsize=64)  # the places' lines of one quarter have the same
def utc(ms: int | None) -> str:
    """To the second; empty where it is not known.

    >>> utc(1_793_491_200_000), utc(None)
    ('2026-11-01 00:00:00', '')
    """
    return "" if ms is None else (_EPOCH + timedelta(milliseconds=ms)).isoformat(" ", "seconds")[:_SECONDS]


@lru_cache(maxsize=64)
def local(ms: int | None, zone: tzinfo) -> str:
    """With its distance from UTC: an hour comes twice in autumn.

    >>> from zoneinfo import ZoneInfo
    >>> local(1_793_491_200_000, ZoneInfo("Europe/Berlin"))
    '2026-11-01 01:00:00 +01:00'
    """
    if ms is None:
        return ""
    at = (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone).isoformat(" ", "seconds")
    return f"{at[:_SECONDS]} {at[_SECONDS:]}"


def span(seconds: float | None) -> str:
    """
    >>> span(95), span(5400), span(200_000), span(None)
    ('1 min 35 s', '1 h 30 min', '2 d 7 h 33 min', '')
    """
    if seconds is None:
        return ""
    left, parts = round(seconds), []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size and not (unit == "s" and seconds >= 600):
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts) or "0 s"
