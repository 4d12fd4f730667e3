"""The shop's own days and hours."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from tzlocal import get_localzone

from edge_agent.config.shop import ShopSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_of(shop: ShopSettings) -> tzinfo:
    return get_localzone() if shop.time_zone is None else ZoneInfo(shop.time_zone)


def local(wall_ms: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=wall_ms)).astimezone(zone)


def day_of(wall_ms: int, zone: tzinfo) -> date:
    return local(wall_ms, zone).date()
