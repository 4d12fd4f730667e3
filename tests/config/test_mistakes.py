"""Configuration mistakes, one by one: each tells its key, its line, and what would be right."""

import pytest

from edge_agent.config import ConfigFault, Settings, check

GOOD = """\
[node]
site = "s0412"
name = "a1"

[agent]
cycle_s = 1.0

[storage]
directory = "/var/lib/edge-agent"
budget_mb = 512

[mqtt]
host = "broker.example"
port = 8883
version = "5"

[mqtt.tls]
ca_file = "ca.pem"

[board]
kind = "raspberry-pi"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 30
address = 0x44

[[sensor]]
name = "cellar"
driver = "dht22"
interval_s = 10.0
pin = 17

[[sensor]]
name = "core"
driver = "ds18b20"
device = "28-0316a2794bff"

[[sensor]]
name = "scale"
driver = "nau7802"
mux_address = 0x70
mux_channel = 0

[[sensor]]
name = "scale-2"
driver = "hx711"
data_pin = 5
clock_pin = 6

[[shelf]]
name = "apples"
capacity_g = 60000
product = "4123"

[[shelf.cell]]
sensor = "scale"
zero_counts = 84000
counts_per_gram = 100.0

[[product]]
gtin = "4123"
name = "Apples"

[panel]
identify_led_pin = 24

[log]
level = "info"
"""

# what is wrong, the text it replaces, with what, the key blamed, words of the message
MISTAKES = [
    # names of tables and keys
    ("misspelt table", "[storage]", "[storag]", "storag", "unknown key: did you mean storage"),
    ("plural table", "[[product]]", "[[products]]", None, "did you mean product"),
    ("made-up table", "[log]", "[telemetry]", "telemetry", "Known here: node, agent, storage"),
    ("key above its table", "[node]\n", "cycle_s = 1.0\n[node]\n", "cycle_s", "it belongs in [agent]"),
    ("misspelt key", "cycle_s", "cycles_s", "agent.cycles_s", "did you mean cycle_s"),
    ("misspelt shared key", "interval_s = 30", "intervall_s = 30", "sensor[1].intervall_s", "did you mean interval_s"),
    ("misspelt driver key", "address = 0x44", "adress = 0x44", "sensor[1].adress", "did you mean address"),
    ("another driver's key", "address = 0x44", "pin = 4", "sensor[1].pin", "Known here: name, driver"),
    ("misspelt cell key", "zero_counts", "zero_count", None, "did you mean zero_counts"),
    ("misspelt board key", '[board]\n', '[board]\ni2c_timeout = 5\n', "board.i2c_timeout", "mean i2c_timeout_ms"),
    ("capitals in a key", "port =", "Port =", "mqtt.Port", "did you mean port"),
    ("the password itself", "port = 8883", 'password = "s3cret"', "mqtt.password", "did you mean password_file"),
    # tables of the wrong form
    ("one bracket for many", '[[product]]\ngtin', '[product]\ngtin', "product", "must be tables headed [[product]]"),
    ("one bracket for cells", "[[shelf.cell]]", "[shelf.cell]", "shelf[1].cell", "tables headed [[shelf.cell]]"),
    ("two brackets for one", "[log]", "[[log]]", "log", "must be a table headed [log]"),
    ("two brackets for the board", "[board]", "[[board]]", "board", "must be a table headed [board]"),
    ("a value for a table", "[log]\nlevel = \"info\"", "[panel.log]", "panel.log", "Known here: identify_led_pin"),
    ("a value for TLS", '[mqtt.tls]\nca_file = "ca.pem"', "tls = true", "mqtt.tls", "a table headed [mqtt.tls]"),
    # wrong types
    ("text for a number", "cycle_s = 1.0", 'cycle_s = "1.0"', "agent.cycle_s", '"1.0": must be a number such as 1.0'),
    ("text for a whole number", "port = 8883", 'port = "8883"', "mqtt.port", "must be a whole number such as 1883"),
    ("fraction for a whole number", "budget_mb = 512", "budget_mb = 512.5", "storage.budget_mb", "a whole number"),
    ("whole float for a whole number", "port = 8883", "port = 8883.0", "mqtt.port", "8883.0: must be a whole number"),
    ("number for a text", 'version = "5"', "version = 5", "mqtt.version", 'a text in double quotes such as "5"'),
    ("switch for a number", "interval_s = 30", "interval_s = true", "sensor[1].interval_s", "true: must be a number"),
    ("number for a switch", "port = 8883", "insecure = 1", "mqtt.insecure", "1: must be true or false"),
    ("text for a switch", "port = 8883", 'embedded = "yes"', "mqtt.embedded", "must be true or false"),
    ("list for a text", 'host = "broker.example"', 'host = ["a", "b"]', "mqtt.host", '["a", "b"]: must be a text'),
    ("date for a text", 'name = "Apples"', "name = 2026-11-23", "product[1].name", "2026-11-23: must be a text"),
    ("time for a number", "interval_s = 30", "interval_s = 00:00:30", "sensor[1].interval_s", "00:00:30: must be a nu"),
    ("number for a GTIN", 'gtin = "4123"', "gtin = 4006381333931", None, 'such as "4006381333931"'),
    ("text for a pin", "pin = 17", 'pin = "GPIO17"', "sensor[2].pin", "must be a whole number such as 17"),
    ("text for an address", "address = 0x44", 'address = "0x44"', "sensor[1].address", "a whole number such as 68"),
    ("not a number", "counts_per_gram = 100.0", "counts_per_gram = nan", "shelf[1].cell[1].counts_per_gram", "finite"),
    ("without end", "capacity_g = 60000", "capacity_g = inf", "shelf[1].capacity_g", "must be finite"),
    # values out of range
    ("no interval", "interval_s = 30", "interval_s = 0", "sensor[1].interval_s", "between 0.1 and 86400 s"),
    ("negative interval", "interval_s = 30", "interval_s = -30", "sensor[1].interval_s", "-30: must be between 0.1"),
    ("milliseconds for seconds", "cycle_s = 1.0", "cycle_s = 1000", "agent.cycle_s", "between 0.1 and 60 s"),
    ("no such port", "port = 8883", "port = 88833", "mqtt.port", "between 1 and 65535"),
    ("no such protocol", 'version = "5"', 'version = "4"', "mqtt.version", "one of 5, 3.1.1"),
    ("tiny budget", "budget_mb = 512", "budget_mb = 1", "storage.budget_mb", "between 16 and 65536 MB"),
    ("no such level", 'level = "info"', 'level = "warn"', "log.level", "one of debug, info, warning, error"),
    ("no such pin", "pin = 17", "pin = 40", "sensor[2].pin", "between 0 and 27"),
    ("no such pin for the light", "identify_led_pin = 24", "identify_led_pin = 28", "panel.identify_led_pin", "27"),
    ("no such address", "address = 0x44", "address = 0x76", "sensor[1].address", "0x76: must be one of 0x44 (68)"),
    ("no such mux channel", "mux_channel = 0", "mux_channel = 8", "sensor[4].mux_channel", "between 0 and 7"),
    ("too fast for a DHT", "interval_s = 10.0", "interval_s = 2", "sensor[2].interval_s", "at least 2.1 s: a dht22"),
    ("reported too often", "interval_s = 30", "interval_s = 30\nreport_s = 5", "sensor[1].report_s", "between 30"),
    ("capital in a name", 'name = "cold-room"', 'name = "Cold-Room"', "sensor[1].name", "characters a-z, 0-9 and -"),
    ("blank in a name", 'name = "apples"', 'name = "red apples"', "shelf[1].name", "1 to 26 of the characters"),
    ("empty name", 'site = "s0412"', 'site = ""', "node.site", '"": must be 1 to 32'),
    ("slash in a place", "interval_s = 30", 'place = "a/b"', "sensor[1].place", '"a/b": must be 1 to 32'),
    ("the name for everybody", 'name = "a1"', 'name = "all"', "node.name", "commands to \"all\" reach every node"),
    ("flat scale", "counts_per_gram = 100.0", "counts_per_gram = 0", "shelf[1].cell[1].counts_per_gram", "other"),
    ("garbled 1-Wire id", '"28-0316a2794bff"', '"28-316"', "sensor[3].device", "12 hexadecimal digits"),
    ("one pin for two wires", "clock_pin = 6", "clock_pin = 5", "sensor[5].clock_pin", "another GPIO than data_pin"),
    # what its converter cannot have, or nobody could weigh with
    ("counts beyond 24 bits", "counts_per_gram = 100.0", "counts_per_gram = 1e9", None, "between 0.0167 and 280 cou"),
    ("hardly a count", "counts_per_gram = 100.0", "counts_per_gram = 1e-300", None, "60000 g, must give 1000 to 16777"),
    ("the other way round", "counts_per_gram = 100.0", "counts_per_gram = -300", None, "-300: must be between 0.0167"),
    ("a piece too heavy", 'name = "Apples"', 'name = "A"\npiece_g = 5e4\n[[shelf]]\nname = "b"\ncapacity_g = 4e4\n'
     'product = "4123"\ncell = [{sensor = "scale-2", zero_counts = 0, counts_per_gram = 1}]', "shelf[2].product",
     "piece_g = 50000 is above capacity_g = 40000"),
    # the broker
    ("a port behind the host", '"broker.example"', '"broker:8883"', "mqtt.host", "the port has its own key"),
    ("a scheme before the host", '"broker.example"', '"mqtts://broker"', "mqtt.host", "without a scheme: the port has"),
    ("a host of two lines", '"broker.example"', '"a\\nb"', "mqtt.host", "must be the name or address of the broker"),
    ("a blank in the host", '"broker.example"', '"my broker"', "mqtt.host", "must be the name or address of the bro"),
    ("no host", '"broker.example"', '""', "mqtt.host", '"": must be the name or address of the broker, such as'),
    ("two dots in the host", '"broker.example"', '"a..b"', "mqtt.host", "must be the name or address of the broker"),
    # products
    ("wrong check digit", 'gtin = "4123"', 'gtin = "4006381333932"', None, 'is it "4006381333931"?'),
    ("letters in a code", 'gtin = "4123"', 'gtin = "A123"', None, "must be 4 to 14 digits"),
    ("short code", 'gtin = "4123"', 'gtin = "412"', None, "must be 4 to 14 digits"),
    ("weightless piece", 'name = "Apples"', 'name = "A"\npiece_g = 0', "product[1].piece_g", "between 0.1 and 50000 g"),
    ("nameless product", 'name = "Apples"', 'name = " "', "product[1].name", "1 to 64 printable characters"),
    # what is missing
    ("no site", 'site = "s0412"\n', "", "node.site", "missing: must be a text"),
    ("no driver", 'driver = "sht3x"\n', "", None, 'driver: missing: must be a text in double quotes such as "sht3x"'),
    ("no pin", "pin = 17\n", "", "sensor[2].pin", "missing: must be a whole number"),
    ("no capacity", "capacity_g = 60000\n", "", "shelf[1].capacity_g", "missing: must be a number"),
    ("half a mux", "mux_address = 0x70\n", "", "sensor[4].mux_address", "mux_address and mux_channel go together"),
    ("certificate without key", 'ca_file =', 'cert_file =', "mqtt.tls.key_file", "together with its counterpart"),
    ("plain to another machine", '[mqtt.tls]\nca_file = "ca.pem"\n', "", "mqtt.tls", "(or insecure = true)"),
    ("a capital in driver", 'driver = "sht3x"', 'Driver = "sht3x"', None, "Driver: unknown key: did you mean driver?"),
    ("capitals in driver", 'driver = "sht3x"', 'DRIVER = "sht3x"', None, "DRIVER: unknown key: did you mean driver?"),
    # names that nobody has
    ("no such driver", 'driver = "sht3x"', 'driver = "sht31"', "sensor[1].driver", 'did you mean "sht3x"'),
    ("no such board", 'kind = "raspberry-pi"', 'kind = "raspberrypi"', "board.kind", 'did you mean "raspberry-pi"'),
    ("cell on no sensor", 'sensor = "scale"', 'sensor = "scala"', "shelf[1].cell[1].sensor", 'did you mean "scale"'),
    ("cell on a thermometer", 'sensor = "scale"', 'sensor = "core"', "shelf[1].cell[1].sensor", "this one does not"),
    ("door on no sensor", "capacity_g =", 'door = "dor"\ncapacity_g =', "shelf[1].door", "that gives open"),
    ("door on a thermometer", "capacity_g =", 'door = "core"\ncapacity_g =', "shelf[1].door", "and this one does not"),
    ("misspelt thermometer", "capacity_g =", 'temperature = "celar"\ncapacity_g =',
     "shelf[1].temperature", 'that gives temperature (did you mean "cellar"?): cold-room, cellar, core'),
    ("temperature of a scale", "capacity_g =", 'temperature = "scale-2"\ncapacity_g =',
     "shelf[1].temperature", "and this one does not"),
    ("spread without a piece", 'name = "Apples"', 'name = "A"\npiece_sd_g = 4', "product[1].piece_sd_g", "with pi"),
    ("shelf of no product", 'product = "4123"', 'product = "4124"', "shelf[1].product", "the gtin of a [[product]]"),
    # two of something
    ("two of a name", 'name = "core"', 'name = "cellar"', "sensor[3].name", "a sensor of this name above"),
    ("shelf named as a sensor", 'name = "apples"', 'name = "scale"', "shelf[1].name", "a sensor is called so"),
    ("one channel", 'driver = "ds18b20"', 'driver = "ds18b20"\nplace = "cellar"', "sensor[3].place", "cellar/temp"),
    ("two on a pin", "data_pin = 5", "data_pin = 17", "sensor[5].data_pin", 'GPIO17 belongs to sensor "cellar"'),
    ("the light on a wire", "identify_led_pin = 24", "identify_led_pin = 6", "panel.identify_led_pin", "scale-2"),
    ("the buzzer on a wire", "[panel]", "[panel]\nbuzzer_pin = 5", "panel.buzzer_pin", 'belongs to sensor "scale-2"'),
    ("the button on the bus", "[panel]", "[panel]\nbutton_pin = 3", "panel.button_pin", "GPIO3 is a wire of i2c-1"),
    ("two lights on a pin", "[panel]", "[panel]\nled_pin = 24", "panel.led_pin", "GPIO24 is identify_led_pin already"),
    ("two colours of three", "[panel]", "[panel]\nred_pin = 16\nblue_pin = 21", "panel.green_pin", "given together"),
    ("a tone without a buzzer", "[panel]", "[panel]\nbuzzer_hz = 2300.0", "panel.buzzer_pin", "missing"),
    ("a tone nobody hears", "[panel]", "[panel]\nbuzzer_pin = 18\nbuzzer_hz = 20.0", "panel.buzzer_hz", "5000 Hz"),
    ("a sensor on a wire of the bus", "pin = 17", "pin = 2", "sensor[2].pin", "GPIO2 is a wire of i2c-1"),
]  # fmt: skip

MORE_SENSOR = '\n[[sensor]]\nname = "more"\n'
ADDED = [
    ("two at an address", MORE_SENSOR + 'driver = "sht4x"\n', "sensor[6].address", '0x44 is the address of sensor'),
    (
        "one before and one behind the multiplexer",
        MORE_SENSOR + 'driver = "nau7802"\n',
        "sensor[6].address",
        '0x2a is the address of sensor "scale" on i2c-1',
    ),
    (
        "two on a multiplexer's channel",
        MORE_SENSOR + 'driver = "nau7802"\nmux_address = 0x70\nmux_channel = 0\n',
        "sensor[6].mux_channel",
        "0x2a on channel 0 of 0x70",
    ),
    (
        "a multiplexer at a chip's address",
        MORE_SENSOR + 'driver = "bme280"\naddress = 0x76\n\n[[sensor]]\nname = "hid"\ndriver = "nau7802"\n'
        "mux_address = 0x76\nmux_channel = 1\n",
        "sensor[7].mux_address",
        '0x76 is the address of sensor "more"',
    ),
    ("one chip twice", MORE_SENSOR + 'driver = "ds18b20"\ndevice = "28-0316a2794bff"\n', "sensor[6].device", "core"),
    ("the supply twice", MORE_SENSOR + 'driver = "power"\n[[sensor]]\nname = "p"\ndriver = "power"\nplace = "x"\n',
     "sensor[7].driver", "the board's power"),
    ("one code twice", '\n[[product]]\ngtin = "4123"\nname = "Pears"\n', "product[2].gtin", "a product of this gtin"),
    ("two shelves of a name", '\n[[shelf]]\nname = "apples"\ncapacity_g = 9e3\ncell = [{sensor = "scale-2", '
     'zero_counts = 0, counts_per_gram = 1}]\n', "shelf[2].name", "a shelf of this name"),
    ("a cell on two shelves", '\n[[shelf]]\nname = "pears"\ncapacity_g = 9e3\ncell = [{sensor = "scale", '
     'zero_counts = 0, counts_per_gram = 1}]\n', "shelf[2].cell[1].sensor", 'a load cell of shelf "apples"'),
    ("shelf on nothing", '\n[[shelf]]\nname = "pears"\ncapacity_g = 9\ncell = []\n', "shelf[2].cell", "at least one"),
]  # fmt: skip

UNREADABLE = [
    ("text without quotes", "name = cold-room", 1, "a text stands in double quotes"),
    ("curly quotes", "name = “a”", 1, "straight double quotes"),
    ("decimal comma", "a = 1\ninterval_s = 0,5", 2, "a decimal number has a point"),
    ("bare decimal point", "a = .5", 1, "digits on both sides"),
    ("unit after the number", "interval_s = 60 s", 1, "without its unit"),
    ("percent after the number", "limit = 80%", 1, "without its unit"),
    ("Python's True", "a = True", 1, "true or false, in small letters"),
    ("yes", "a = yes", 1, "true or false, in small letters"),
    ("leading zero", "gtin = 0123", 1, "no zeros in front"),
    ("no value", "a = 1\nb =\nc = 2", 2, "left out, or made a comment"),
    ("YAML", "interval_s: 5", 1, "joined by ="),
    ("quote left open", 'name = "cold\nx = 1', 1, "ends with the quote it began with"),
    ("bracket left open", "[node\nx = 1", 1, "the head of a table ends with ]"),
    ("array head left open", "[[sensor]\nx = 1", 1, "double brackets on both sides"),
    ("list left open", "a = [1,\n2\n", 2, "Unclosed array"),
    ("key twice", "a = 1\na = 2", 2, "stands above already"),
    ("table twice", "[node]\n[mqtt]\n[node]", 3, "this table stands above already"),
    ("backslashes", 'file = "C:\\data"', 1, "a backslash is written twice"),
    ("a control character", "a = 1\x00", 1, "not TOML"),
    ("a number of thousands of digits", "[node]\na = 1" + "0" * 5000, 2, "64 bits"),
    ("a number of more than 64 bits", "# 1\na = 0x" + "f" * 5000, 2, "a = 0xfff"),
    ("a number of 65 bits in a list", '[[sensor]]\nname = "x"\npin = [1,\n18446744073709551616]', 4, "64 bits"),
    ("very deep lists", "a = " + "[" * 5000, None, "16 deep"),
    ("rather deep lists", "a = " + "[" * 20 + "]" * 20, None, "16 deep"),
    ("very deep keys", "node" + ".a" * 2000 + " = 1", None, "16 deep"),
    ("nothing at all", "", None, "is empty: copy config/edge-agent.toml"),
    ("nothing but comments", "# later\n", None, "is empty"),
]  # fmt: skip


def faults_of(text: str) -> list[ConfigFault]:
    checked = check(text, "a.toml")
    assert isinstance(checked, list), "no fault was found"
    return checked


def test_the_text_that_the_mistakes_are_made_in_is_right():
    assert isinstance(check(GOOD, "a.toml"), Settings)


def test_there_are_at_least_sixty_mistakes():
    titles = [row[0] for row in (*MISTAKES, *ADDED, *UNREADABLE)]
    assert len(set(titles)) == len(titles) >= 60


@pytest.mark.parametrize(
    ("old", "new", "key", "words"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_a_mistake_tells_its_key_and_what_would_be_right(old, new, key, words):
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    faults = faults_of(text)
    told = [fault for fault in faults if words in str(fault)]
    assert len(told) == 1, "\n".join(map(str, faults))
    if key is not None:
        assert [fault.key for fault in faults] == [key]
    assert_the_line_is_right(told[0], text)


@pytest.mark.parametrize(("more", "key", "words"), [row[1:] for row in ADDED], ids=[row[0] for row in ADDED])
def test_an_addition_that_does_not_fit_is_told_where_it_was_added(more, key, words):
    (fault,) = faults_of(GOOD + more)
    assert fault.key == key
    assert words in str(fault)
    assert fault.line is not None
    assert fault.line > GOOD.count("\n")
    assert_the_line_is_right(fault, GOOD + more)


def assert_the_line_is_right(fault: ConfigFault, text: str) -> None:
    """The key's own line; of a key that is not there, the head of its table."""
    assert fault.line is not None
    written = text.splitlines()[fault.line - 1]
    leaf = fault.key.rpartition(".")[2].partition("[")[0]
    owner = fault.key.rpartition(".")[0]
    assert leaf in written or written.startswith("["), (written, fault)
    if written.startswith("[") and leaf not in written:
        assert written.strip("[]") == "".join(part for part in owner if part not in "[]0123456789")


@pytest.mark.parametrize(("text", "line", "words"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_a_text_that_is_no_configuration_tells_where_it_stops_being_one(text, line, words):
    (fault,) = faults_of(text)
    assert fault.line == line
    assert words in str(fault)


def test_a_syntax_fault_shows_its_line_and_marks_the_column():
    (fault,) = faults_of("[node]\nsite = s0412 # the shop\n")
    assert str(fault).splitlines() == [
        "a.toml, line 2: column 8: not TOML: Invalid value (a text stands in double quotes)",
        "    site = s0412 # the shop",
        "           ^",
    ]


def test_the_mark_stays_below_its_column_in_a_very_long_line():
    (fault,) = faults_of(f"a = [{'1, ' * 500}oops]")
    _, shown, mark = str(fault).splitlines()
    assert shown[mark.index("^")] == "o"


def test_a_fault_reads_as_one_sentence_with_file_line_place_key_value_and_what_is_right():
    (fault,) = faults_of(GOOD.replace("interval_s = 30", "interval_s = 0"))
    assert str(fault) == 'a.toml, line 26: sensor "cold-room": interval_s = 0: must be between 0.1 and 86400 s'
    assert (fault.file, fault.line, fault.key, fault.place, fault.value) == (
        "a.toml",
        26,
        "sensor[1].interval_s",
        'sensor "cold-room"',
        "0",
    )


def test_a_secret_in_the_wrong_place_is_not_repeated():
    (fault,) = faults_of(GOOD.replace("port = 8883", 'password = "s3cret"'))
    assert "s3cret" not in str(fault)
    assert fault.value is None


def test_a_value_cannot_steer_the_terminal_it_is_shown_on():
    faults = faults_of(GOOD.replace('site = "s0412"', 'site = "\\u001b[31m"\n"\\u001b]0;x" = 1'))
    assert len(faults) == 2
    assert all("\x1b" not in str(fault) for fault in faults)


def test_a_file_of_a_strange_name_cannot_steer_the_terminal_either():
    (fault,) = check("", "\x1b[31m\0.toml")
    assert str(fault).startswith("\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}.toml: is empty")


@pytest.mark.parametrize("text", ["k = 1", "[node.k]", "[[k]]\nx = 1"])
def test_a_very_long_key_is_shortened(text):
    long = text.replace("k", "k" * 5000)
    faults = faults_of(GOOD + long)
    assert all(len(str(fault)) < 1000 for fault in faults)
    assert any("kkk..." in str(fault) for fault in faults)


def test_an_integer_beyond_64_bits_is_told_with_line_key_and_value():
    (fault,) = faults_of(GOOD.replace("port = 8883", f"port = {2**64}"))
    assert (fault.key, fault.place, fault.value) == ("mqtt.port", "mqtt", str(2**64))
    assert fault.line == GOOD[: GOOD.index("port = 8883")].count("\n") + 1
