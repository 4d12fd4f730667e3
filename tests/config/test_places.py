"""Mistakes in `[[place]]` and `[food]`: each tells its table, key and value, and what would be right."""

import pytest

from edge_agent.config import ConfigFault, Settings, check

GOOD = """\
[node]
site = "s0412"
name = "a1"

[food]
region = "england"

[[sensor]]
name = "cold-room"
driver = "sht3x"

[[sensor]]
name = "core"
driver = "ds18b20"
device = "28-0316a2794bff"

[[sensor]]
name = "door"
driver = "contact"
pin = 22

[[sensor]]
name = "scale"
driver = "nau7802"
mux_address = 0x70
mux_channel = 0

[[place]]
name = "cold-room"
goods = ["milk"]
"""

# what is wrong, the text it replaces, with what, the key blamed, words of the message
MISTAKES = [
    ("low above high", 'goods = ["milk"]', "low_c = 4\nhigh_c = 3", "place[1].high_c", "3: must be above low_c = 4"),
    (
        "low above the default high",
        'goods = ["milk"]',
        "low_c = 6",
        "place[1].high_c",
        "(the default): must be above low",
    ),
    (
        "critical inside normal",
        'goods = ["milk"]',
        "critical_high_c = 4.5",
        "place[1].critical_high_c",
        "above high_c = 5",
    ),
    ("critical at normal", 'goods = ["milk"]', "critical_high_c = 5", "place[1].critical_high_c", "above high_c = 5"),
    (
        "normal outside the default critical",
        'goods = ["milk"]',
        "high_c = 9",
        "place[1].critical_high_c",
        "above high_c = 9",
    ),
    (
        "critical low inside",
        'goods = ["milk"]',
        "critical_low_c = 1",
        "place[1].critical_low_c",
        "1: must be below low_c = 0",
    ),
    (
        "of a freezer",
        'goods = ["milk"]',
        'kind = "frozen"\nhigh_c = -10',
        "place[1].critical_high_c",
        "-12.0 (the default)",
    ),
    ("dry above humid", 'goods = ["milk"]', "dry_pct = 90\nhumid_pct = 80", "place[1].humid_pct", "above dry_pct = 90"),
    (
        "a deadband without a room",
        'goods = ["milk"]',
        "deadband_c = 3",
        "place[1].deadband_c",
        "half of what lies between",
    ),
    ("a limit of the sun", 'goods = ["milk"]', "high_c = 5000\ncritical_high_c = 60", None, "between -60 and 60 °C"),
    (
        "no such region",
        '"england"',
        '"uk"',
        "food.region",
        '"uk": must be one of "england", "wales", "northern-ireland"',
    ),
    ("no region", 'region = "england"', "", "food.region", 'place "cold-room" has goods that need the cold'),
    ("a longer tolerance", 'region = "england"', 'region = "eu"\ntolerance_h = 5', "food.tolerance_h", "0.25 and 4 h"),
    ("a late warning", 'region = "england"', 'region = "eu"\nwarn_h = 5', "food.warn_h", "(not after tolerance_h)"),
    ("a made-up kind", 'goods = ["milk"]', 'kind = "cool"', "place[1].kind", '"chilled", "frozen", "ambient"'),
    ("made-up goods", '"milk"', '"mylk"', "place[1].goods", "must be one of poultry, minced-meat"),
    ("a made-up pack", 'goods = ["milk"]', 'pack = "box"', "place[1].pack", "one of air, loose, bottle, crate"),
    (
        "a place without a sensor",
        'name = "cold-room"\ngoods',
        'name = "dairy"\ngoods',
        "place[1].sensors",
        "give temperature",
    ),
    ("no such sensor", 'goods = ["milk"]', 'sensors = ["coldroom"]', "place[1].sensors[1]", 'did you mean "cold-room"'),
    ("a scale in the air", 'goods = ["milk"]', 'sensors = ["scale"]', "place[1].sensors[1]", "and this one does not"),
    (
        "no such door",
        'goods = ["milk"]',
        'door = "dor"',
        "place[1].door",
        'that gives open (did you mean "door"?): door',
    ),
    ("a thermometer for a door", 'goods = ["milk"]', 'door = "core"', "place[1].door", "and this one does not: door"),
    ("no such probe", 'goods = ["milk"]', 'core = ["cor"]', "place[1].core[1]", 'did you mean "core"'),
    (
        "in the air and in the goods",
        'goods = ["milk"]',
        'sensors = ["core"]\ncore = ["core"]',
        "place[1].core",
        "either in",
    ),
    (
        "a long name",
        'name = "cold-room"\ngoods',
        'name = "cold-room-number-1"\nsensors = ["core"]\ngoods',
        "place[1].name",
        "1 to 15 of the",
    ),
    (
        "a place twice",
        'goods = ["milk"]',
        '[[place]]\nname = "cold-room"',
        "place[2].name",
        "a place of this name above",
    ),
    ("a day without a month", "pin = 22", 'pin = 22\ncalibrated_on = "2026-13-01"', None, 'a day such as "2026-05-04"'),
    ("a sensor that is broken", "pin = 22", "pin = 22\ncorrection_c = 8", None, "between -5 and 5 °C"),
]


def faults_of(text: str) -> list[ConfigFault]:
    checked = check(text, "a.toml")
    assert isinstance(checked, list), "no fault was found"
    return checked


def test_the_text_that_the_mistakes_are_made_in_is_right():
    assert isinstance(check(GOOD, "a.toml"), Settings)


@pytest.mark.parametrize(
    ("old", "new", "key", "words"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_a_mistake_in_a_place_tells_its_key_and_what_would_be_right(old, new, key, words):
    assert old in GOOD
    faults = faults_of(GOOD.replace(old, new, 1))
    told = [fault for fault in faults if words in str(fault)]
    assert len(told) == 1, "\n".join(map(str, faults))
    if key is not None:
        assert [fault.key for fault in faults] == [key]


@pytest.mark.parametrize("region", ["england", "wales", "northern-ireland", "scotland", "eu"])
def test_where_the_law_lets_the_site_say_so_its_limit_may_be_higher(region):
    text = GOOD.replace('"england"', f'"{region}"') + "food_limit_c = 9\n"
    assert isinstance(check(text, "a.toml"), Settings)


@pytest.mark.parametrize(("region", "goods", "limit"), [("us", "milk", "5 °C"), ("eu", "poultry", "4 °C")])
def test_a_number_of_the_law_cannot_be_made_higher(region, goods, limit):
    text = GOOD.replace('"england"', f'"{region}"').replace('"milk"', f'"{goods}"') + "food_limit_c = 7\n"
    (fault,) = faults_of(text)
    assert fault.key == "place[1].food_limit_c"
    assert f"7: must be at most {limit} in region {region}" in str(fault)


def test_without_goods_that_need_the_cold_no_region_has_to_be_chosen():
    text = GOOD.replace('region = "england"', "").replace('goods = ["milk"]', 'kind = "ambient"')
    assert isinstance(check(text, "a.toml"), Settings)


def test_the_sensors_of_a_place_are_those_that_say_it_is_theirs():
    text = GOOD + 'core = ["core"]\n'
    text = text.replace('driver = "ds18b20"', 'driver = "ds18b20"\nplace = "in-the-milk"')
    checked = check(text, "a.toml")
    assert isinstance(checked, Settings)
    assert checked.places[0].sensors == ("cold-room",)
    assert checked.places[0].core == ("core",)


@pytest.mark.parametrize(("kind", "high_c", "pack"), [("chilled", 5.0, "bottle"), ("frozen", -15.0, "crate")])
def test_a_kind_of_place_has_defaults_of_its_own(kind, high_c, pack):
    checked = check(GOOD.replace('goods = ["milk"]', f'kind = "{kind}"'), "a.toml")
    assert isinstance(checked, Settings)
    assert (checked.places[0].high_c, checked.places[0].pack) == (high_c, pack)
