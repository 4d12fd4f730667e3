"""Mistakes in [shop] and [demand], one by one: each tells its key, its line, and what would be right."""

import pytest

from edge_agent.config import ConfigFault, Settings, check

BASE = """\
[node]
site = "s0412"
name = "a1"

[board]
kind = "raspberry-pi"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 30.0

"""
GOOD = """\
[shop]
country = "DE"
region = "BY"
time_zone = "Europe/Berlin"
opens = "07:30"
closes = "24:00"
closed = ["sunday"]
closed_on_holidays = true
school_holidays = ["2026-12-23/2027-01-08", "2027-02-08"]

[demand]
enabled = true
hour = 2
budget_s = 60.0
history_days = 730
keep_days = 1100
"""
MISTAKES = [
    ("a country in small letters", 'country = "DE"\nregion = "BY"', 'country = "de"', "shop.country", "ISO 3166"),
    ("a country by name", 'country = "DE"\nregion = "BY"', 'country = "Germany"', "shop.country", "two capital"),
    ("a region of no country", 'country = "DE"\n', "", "shop.region", "together with country"),
    ("no such country", '"DE"', '"XX"', "shop.country", "whose holidays are known: AD, AE"),
    ("no such region", '"BY"', '"QQ"', "shop.region", "a region of DE whose holidays are known: BB, BE"),
    ("a region with a slash", '"BY"', '"B/Y"', "shop.region", "such as BY"),
    ("a misspelt zone", "Europe/Berlin", "Europe/Berln", "shop.time_zone", "is it Europe/Berlin?"),
    ("a zone by offset", "Europe/Berlin", "+01:00", "shop.time_zone", "such as Europe/Berlin"),
    ("a zone that climbs out", "Europe/Berlin", "../../etc/passwd", "shop.time_zone", "such as Europe/Berlin"),
    ("hours without minutes", '"07:30"', '"7"', "shop.opens", 'such as "08:00"'),
    ("no such minute", '"07:30"', '"07:60"', "shop.opens", 'such as "08:00"'),
    ("after midnight", '"24:00"', '"24:01"', "shop.closes", 'at most "24:00"'),
    ("closes before it opens", '"24:00"', '"06:00"', "shop.closes", "after opens = 07:30"),
    ("closes when it opens", '"24:00"', '"07:30"', "shop.closes", "after opens = 07:30"),
    ("a number for an hour", '"07:30"', "7", "shop.opens", "must be a text"),
    ("a weekday cut short", '"sunday"', '"sun"', "shop.closed", "sunday"),
    ("never open", '["sunday"]', '["monday","tuesday","wednesday","thursday","friday","saturday","sunday"]',
     "shop.closed", "never opens"),
    ("yes", "closed_on_holidays = true", 'closed_on_holidays = "yes"', "shop.closed_on_holidays", "true or false"),
    ("the last before the first", "2026-12-23/2027", "2026-12-23/2026", "shop.school_holidays", "not before"),
    ("no such day", "2027-02-08", "2027-02-30", "shop.school_holidays", "a day or days"),
    ("a day as people write it", "2027-02-08", "8.2.2027", "shop.school_holidays", "a day or days"),
    ("a year of holidays", "2026-12-23/2027", "2026-01-01/2027", "shop.school_holidays", "120 days at most"),
    ("an unknown key", "opens =", "opening =", "shop.opening", "did you mean opens"),
    ("no such hour", "hour = 2", "hour = 24", "demand.hour", "between 0 and 23"),
    ("half an hour", "hour = 2", "hour = 2.5", "demand.hour", "whole number"),
    ("no time to learn", "budget_s = 60.0", "budget_s = 0", "demand.budget_s", "between 1 and 3600"),
    ("all night", "budget_s = 60.0", "budget_s = 36000.0", "demand.budget_s", "between 1 and 3600"),
    ("too short a past", "history_days = 730", "history_days = 55", "demand.history_days", "between 56 and 1095"),
    ("kept too short", "keep_days = 1100", "keep_days = 700", "demand.keep_days", "between 730 and 3650"),
    ("not a number", "budget_s = 60.0", "budget_s = nan", "demand.budget_s", "must be finite"),
    ("misspelt table", "[demand]", "[demands]", "demands", "did you mean"),
]  # fmt: skip


def faults_of(text: str) -> list[ConfigFault]:
    checked = check(BASE + text, "a.toml")
    assert isinstance(checked, list), "no fault was found"
    return checked


def test_the_text_that_the_mistakes_are_made_in_is_right():
    found = check(BASE + GOOD, "a.toml")
    assert isinstance(found, Settings)
    assert (found.shop.open_minutes, found.demand.hour) == ((450, 1440), 2)


def test_both_tables_may_be_left_out():
    found = check(BASE, "a.toml")
    assert isinstance(found, Settings)
    assert (found.shop.country, found.demand.enabled) == (None, True)


@pytest.mark.parametrize(
    ("old", "new", "key", "words"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_a_mistake_tells_its_key_its_line_and_what_would_be_right(old, new, key, words):
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new, 1)
    (fault,) = faults_of(text)
    assert fault.key.startswith(key)
    assert words in str(fault)
    leaf = key.rpartition(".")[2]
    written = (BASE + text).splitlines()[fault.line - 1]
    assert leaf in written, (written, str(fault))
