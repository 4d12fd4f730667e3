"""Who may ask for what."""

from dataclasses import replace

import pytest

from edge_agent.alerts.settings import PlaceSettings
from edge_agent.decide import Memory, Plan
from edge_agent.decide.authority import CommandSettings, KeySettings, refusal
from edge_agent.decide.commands import obey
from edge_agent.domain.command import Command, ResultCode, Seal, Verb
from edge_agent.domain.instant import Instant
from edge_agent.domain.settings import SettingsError
from edge_agent.weighing.settings import CellSettings, ShelfSettings

AT = Instant(1000, 1_790_000_000_000, "boot-1")
PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8032, 7.1, test 1
OTHER = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="  # test 2
KEYS = (KeySettings("office", PUBLIC), KeySettings("till", OTHER, ("tare",)))


def command(verb, source="mqtt", key=None):
    return Command("c-1", verb, {}, source, AT, seal=None if key is None else Seal(key, "n" * 16))


@pytest.mark.parametrize(
    ("verb", "source", "key", "settings", "says"),
    [
        ("tare", "mqtt", None, {}, "over MQTT tare needs a signature"),
        ("set", "mqtt", None, {"keys": ()}, "no [[commands.key]] is configured"),
        ("tare", "mqtt", "office", {}, None),
        ("tare", "mqtt", "till", {}, None),
        ("set", "mqtt", "till", {}, "key till may not sign set"),
        ("set", "mqtt", "lost", {}, "key lost is not configured any more"),
        ("acknowledge", "mqtt", "till", {}, "key till may not sign acknowledge"),
        ("acknowledge", "mqtt", None, {}, None),
        ("acknowledge", "mqtt", None, {"signatures": "all"}, "needs a signature"),
        ("reload", "mqtt", None, {"signatures": "off"}, None),
        ("reload", "local", None, {}, None),
        ("reload", "cli", None, {}, None),
        ("reload", "local", None, {"signatures": "all"}, None),
        ("tare", "mqtt", "office", {"mqtt": ("count",)}, "tare is not among the verbs of commands.mqtt"),
        ("tare", "local", None, {"local": ("count",)}, "commands.local"),
        ("tare", "cli", None, {"inbox": ()}, "commands.inbox"),
        ("count", "local", None, {"local": ("count",)}, None),
    ],
)
def test_each_way_in_and_each_key_has_its_verbs(verb, source, key, settings, says):
    found = refusal(command(verb, source, key), replace(CommandSettings(keys=KEYS), **settings))
    assert (found is None) == (says is None), found
    assert says is None or says in found


SIGNED_ONLY = {"tare", "zero", "calibrate", "set", "reload", "out-of-service", "model"}  # over MQTT, as shipped


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("source", ["mqtt", "local", "cli", "replay", ""])
@pytest.mark.parametrize("key", [None, "office", "till", "gone"])
@pytest.mark.parametrize("signatures", ["dangerous", "all", "off"])
def test_every_verb_by_every_way_and_key(verb, source, key, signatures):
    """Said once more in other words than the code's."""
    may = {
        None: source != "mqtt" or signatures == "off" or (signatures == "dangerous" and verb not in SIGNED_ONLY),
        "office": True,
        "till": verb == "tare",
        "gone": False,
    }[key]
    settings = CommandSettings(keys=KEYS, signatures=signatures)
    assert (refusal(command(verb, source, key), settings) is None) == may


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize(("source", "listed"), [("mqtt", "mqtt"), ("local", "local"), ("cli", "inbox"), ("x", "inbox")])
def test_no_key_gives_a_verb_that_the_way_in_does_not_carry(verb, source, listed):
    others = tuple(each.value for each in Verb if each is not verb)
    settings = CommandSettings(keys=KEYS, signatures="off", **{listed: others})
    for key in (None, "office"):
        assert f"{verb} is not among the verbs of commands.{listed}" in refusal(command(verb, source, key), settings)


def test_what_is_not_allowed_is_not_obeyed():
    obeyed = obey(Memory(), Plan({}), command("reload"), AT)
    assert obeyed.result.code is ResultCode.UNAUTHORIZED
    assert obeyed.request is None
    assert obey(Memory(), Plan({}), command("reload", "local"), AT).request is not None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"mqtt": ("tare", "dance")}, "mqtt = 'dance': must be verbs, each one of all, tare"),
        ({"signatures": "sometimes"}, "must be one of dangerous, all, off"),
        ({"socket": "command.sock"}, "must be an absolute path"),
        ({"socket": "/" + "x" * 107}, "at most 107 bytes"),
        ({"keys": (KEYS[0], KeySettings("office", OTHER))}, "tables of different names"),
        ({"keys": (KEYS[0], KeySettings("till", PUBLIC, ("tare",)))}, "'till': must be a key of its own: office has"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, says):
    with pytest.raises(SettingsError) as refused:
        CommandSettings(**settings)
    assert says in str(refused.value)


@pytest.mark.parametrize("public", ["", "AAAA", "!" * 44, PUBLIC[:-1], PUBLIC + "\n"])
def test_a_public_key_is_32_bytes_in_base64(public):
    with pytest.raises(SettingsError, match="public_key"):
        KeySettings("office", public)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("set", {"place": "cold-room", "high_c": 10**400}),
        ("set", {"place": "cold-room", "dwell_s": -(10**400)}),
        ("test-alarm", {"seconds": 10**400}),
        ("identify", {"seconds": 10**400}),
        ("replay", {"stream": "event", "from_seq": 1, "to_seq": 10**400}),
        ("receive", {"product": "1", "lot": "L", "supplier": "s", "units": 10**400}),
        ("waste", {"shelf": "s", "reason": "other", "grams": 10**400}),
        ("count", {"shelf": "s", "units": 10**400}),
        ("tare", {"shelf": "s", "tare_g": 10**400}),
    ],
)
def test_a_number_that_nothing_can_hold_ends_no_cycle(verb, arguments):
    """It lies in the inbox, and would end the next one as well."""
    shelf = ShelfSettings("s", (CellSettings("c", 0, 1.0),), 1000.0)
    plan = Plan({}, places=(PlaceSettings("cold-room"),), shelves=(shelf,))
    asked = Command("c-1", verb, arguments, "cli", AT)
    result = obey(Memory(), plan, asked, AT).result
    assert result is None or result.code is not ResultCode.DONE
