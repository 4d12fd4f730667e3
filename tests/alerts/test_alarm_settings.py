"""How long an alarm may be left to itself: bounds, and what contradicts itself."""

import pytest

from edge_agent.alerts.alarm_settings import AlarmSettings
from edge_agent.domain.settings import SettingsError


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("silence_min", 31.0, "must be between 1 and 30 min"),
        ("silence_min", float("nan"), "must be between 1 and 30 min"),
        ("escalate_again_min", 10.0, "must be above escalate_min = 10"),
        ("realarm_low_min", 4.0, "must be between 5 and 10080 min"),
        ("disk_free_mb", 1.0, "must be between 10 and 100000 MB"),
        ("backlog_messages", 10, "must be between 100 and 500000"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(key, value, right):
    with pytest.raises(SettingsError) as refused:
        AlarmSettings(**{key: value})
    assert str(refused.value).startswith(f"{key} = ")
    assert right in str(refused.value)
