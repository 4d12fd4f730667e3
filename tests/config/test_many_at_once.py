"""One look finds everything: no fault hides behind another."""

from edge_agent.config import check

TEXT = """\
[node]
site = "S 1"
nam = "all"

[mqtt]
host = "broker.example"
port = "1883"
keepalive_s = 1
version = 5
tls = {ca_file = 3, key_file = "k"}

[board]
kind = "raspbery-pi"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 0
adress = 0x44

[[sensor]]
name = "cold-room"
driver = "sht3x"
address = 0x99
interval_s = true

[[sensor]]
name = "dock"
driver = "dht22"
interval_s = 1
report_s = "x"
pin = 17

[[sensor]]
name = "scale"
driver = "nau7802"
report_s = 1

[[sensor]]
name = "door"
driver = "contact"
pin = 17

[[sensor]]
driver = "nobody"
interval_s = -1

[[shelf]]
name = "shelf-1"
stable_g = -1
product = "4006381333932"
[[shelf.cell]]
sensor = "scal"
zero_counts = 1
counts_per_gram = 0
[[shelf.cell]]
sensor = "dock"
zero_counts = 1.5
counts_per_gram = nan

[[product]]
gtin = "4006381333932"
name = ""

[sensors]
[log]
level = "warn"
"""

ALL = [
    ("node.name", 1),
    ("node.site", 2),
    ("node.nam", 3),
    ("mqtt.port", 7),
    ("mqtt.keepalive_s", 8),  # behind the wrong type of its neighbours
    ("mqtt.version", 9),
    ("mqtt.tls.ca_file", 10),
    ("mqtt.tls.cert_file", 10),
    ("board.kind", 13),
    ("sensor[1].interval_s", 18),
    ("sensor[1].adress", 19),
    ("sensor[2].name", 22),
    ("sensor[2].address", 24),
    ("sensor[2].interval_s", 25),
    ("sensor[3].report_s", 31),
    ("sensor[4].report_s", 37),
    ("sensor[5].pin", 42),  # taken by a sensor that has a fault of its own
    ("sensor[6].name", 44),
    ("sensor[6].driver", 45),
    ("sensor[6].interval_s", 46),
    ("shelf[1].capacity_g", 48),
    ("shelf[1].stable_g", 50),  # behind the missing capacity and the faults of both cells
    ("shelf[1].cell[1].sensor", 53),
    ("shelf[1].cell[1].counts_per_gram", 55),
    ("shelf[1].cell[2].sensor", 57),
    ("shelf[1].cell[2].zero_counts", 58),
    ("shelf[1].cell[2].counts_per_gram", 59),
    ("product[1].gtin", 62),
    ("product[1].name", 63),
    ("sensors", 65),
    ("log.level", 67),
]


def test_all_faults_are_told_at_once_in_the_order_of_the_file():
    faults = check(TEXT, "a.toml")
    assert isinstance(faults, list)
    assert sorted((fault.key, fault.line) for fault in faults) == sorted(ALL)
    lines = [fault.line or 0 for fault in faults]
    assert lines == sorted(lines)


def test_a_value_that_is_only_a_default_is_told_as_one():
    text = '[node]\nsite = "s"\nname = "n"\n[[sensor]]\nname = "a"\ndriver = "power"\nreport_s = 1\n'
    two = (
        text
        + '[[sensor]]\nname = "b"\nplace = "c"\ndriver = "sht3x"\n[[sensor]]\nname = "c"\ndriver = "dht22"\npin = 1\n'
    )
    faults = check(two, "a.toml")
    assert isinstance(faults, list)
    assert [(fault.key, fault.value) for fault in faults] == [
        ("sensor[1].report_s", "1"),
        ("sensor[3].place", '"c" (the default)'),
    ]
    assert faults[1].line == 12, "the head of its table"
