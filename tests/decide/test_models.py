import pytest

from edge_agent.decide import ChangeModel, Memory, Plan
from edge_agent.decide.commands import obey
from edge_agent.decide.models import Action, ModelKeySettings, ModelSettings
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.settings import SettingsError

AT = Instant(1000, 1_764_000_000_000, "boot-1", ClockState.SYNCED)
PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def obeyed(**words):
    return obey(Memory(), Plan({}), Command("c-1", "model", words, "local", AT), AT)


@pytest.mark.parametrize(
    ("words", "action", "name", "reason"),
    [
        ({"action": "install", "bundle": {"key": "office"}}, Action.INSTALL, "", ""),
        ({"action": "promote", "name": "demand", "who": "ann"}, Action.PROMOTE, "demand", ""),
        ({"action": "rollback", "name": "demand", "reason": "worse here"}, Action.ROLLBACK, "demand", "worse here"),
    ],
)
def test_what_is_asked_for_is_left_to_the_service(words, action, name, reason):
    found = obeyed(**words)
    assert found.result is None
    assert isinstance(found.request, ChangeModel)
    assert (found.request.action, found.request.name, found.request.reason) == (action, name, reason)
    assert found.request.bundle == words.get("bundle")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"action": 7}, "action = '7'"),
        ({"action": ["install"]}, "action = "),
        ({"action": "install", "bundle": 7}, "bundle: must be"),
        ({"action": "promote", "name": 7}, "name = '7'"),
        ({"action": "promote", "name": "a" * 25}, "name = "),
        ({"action": "promote", "name": "demand", "reason": 7}, "reason: must be"),
        ({"action": "promote", "name": "demand", "shelf": "x"}, "shelf: is none of action, bundle, name, reason, who"),
    ],
)
def test_what_is_asked_wrongly_is_answered_with_what_would_be_right(words, says):
    found = obeyed(**words)
    assert (found.request, found.result.code) == (None, ResultCode.INVALID)
    assert says in found.result.message


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: ModelSettings(shadow_days=-1), "shadow_days = -1: must be between 0 and 90 days"),
        (lambda: ModelSettings(shadow_outcomes=0), "shadow_outcomes = 0: must be between 1"),
        (lambda: ModelKeySettings("Office", PUBLIC), "name = 'Office'"),
        (lambda: ModelKeySettings("office", "AAAA"), "public_key = 'AAAA': must be base64 of the 32 bytes"),
        (lambda: ModelSettings(keys=(ModelKeySettings("a", PUBLIC),) * 2), "keys = 'a': must be tables of different"),
    ],
)
def test_settings_with_a_fault_name_it(wrong, says):
    with pytest.raises(SettingsError, match=says):
        wrong()
