"""The questions of `setup`: as few as can be, in the words of a shop."""

import re
from collections.abc import Sequence

from edge_agent.alerts.settings import Region
from edge_agent.domain.settings import SettingsError, identifier
from edge_agent.mqtt.settings import LOOPBACK, MqttSettings
from edge_agent.setup import pins
from edge_agent.setup.buses import Plugged
from edge_agent.setup.interview import Interview, Question
from edge_agent.setup.pins import PANEL, Wired
from edge_agent.setup.probe import Found
from edge_agent.setup.proposal import Answers, Broker, Cell, Climate, needs_the_cold, usual_place

NONE = "none"
SKIP = "skip"  # this chip is not to be used
SYSTEM = "system"
LONGEST_PLACE = 15
USUAL_CAPACITY_KG = "20"


def ask(interview: Interview, plugged: Plugged, *, hostname: str, timezone: str, board: str, state: str) -> Answers:
    """Everything a configuration needs that the machine cannot say by itself."""
    site = _name(interview, "site", "What is the shop called, in small letters and without spaces?", "shop")
    node = _name(interview, "node", "And this Raspberry Pi in it?", usual_name(hostname))
    broker = _broker(interview)
    climates = [*_thermometers(interview, plugged), *_probes(interview, plugged)]
    cells = _cells(interview, plugged)
    wired = _wired(interview)
    climates += [Climate(each.kind, each.name, pin=each.pins[0]) for each in wired if each.kind in ("dht22", "dht11")]
    cells += [Cell(each.name, pins=(each.pins[0], each.pins[1])) for each in wired if each.kind == "hx711"]
    capacities_g = {shelf: _capacity_g(interview, shelf) for shelf in dict.fromkeys(cell.shelf for cell in cells)}
    region = _region(interview, timezone) if needs_the_cold(climate.place for climate in climates) else ""
    return Answers(
        site, node, broker, climates, cells, capacities_g, wired, region, plugged.has_power_flags, board, state
    )  # fmt: skip


def usual_name(hostname: str) -> str:
    """
    >>> usual_name("raspberrypi"), usual_name("Cellar_Pi.local"), usual_name("...")
    ('raspberrypi', 'cellar-pi', 'a1')
    """
    name = re.sub(r"[^a-z0-9]+", "-", hostname.split(".")[0].lower()).strip("-")[:32]
    return name if name and name != "all" else "a1"


def usual_region(timezone: str) -> str:
    """
    >>> usual_region("Europe/London"), usual_region("America/Chicago"), usual_region("Europe/Rome")
    ('england', 'us', 'eu')
    """
    if timezone == "Europe/London":
        return Region.ENGLAND.value
    return Region.US.value if timezone.startswith(("America/", "US/")) else Region.EU.value


def _name(interview: Interview, key: str, words: str, default: str, longest: int = 32) -> str:
    return interview(Question(key, words, default, lambda answer: _identifier(answer, longest)))


def _identifier(answer: str, longest: int) -> str | None:
    fault = identifier("", answer, longest)
    if fault is None:
        return 'another name: "all" is every node' if answer == "all" else None
    return fault.right


def _broker(interview: Interview) -> Broker:
    host = interview(Question("broker", "Where is the MQTT broker (localhost: on this machine)?", "localhost", _host))
    if host in LOOPBACK:
        return Broker(host)
    is_encrypted = interview.yes("broker.tls", f"Is the connection to {host} encrypted (TLS)?", default=True)
    port = int(interview(Question("broker.port", "On which port?", "8883" if is_encrypted else "1883", _port)))
    ca = cert = key = ""
    if is_encrypted:
        words = "Which file has the certificate authority of the broker (system: those the system trusts)?"
        ca = _file(interview, "broker.ca_file", words, SYSTEM)
        cert = _file(interview, "broker.cert_file", "Which file has this node's client certificate?", NONE)
        if cert:
            key = _file(interview, "broker.key_file", "And its key?", cert.removesuffix(".pem") + ".key")
    user = interview(Question("broker.username", "Which user name does the broker want?", NONE))
    user = "" if user == NONE else user
    password = ""
    if user:
        words = "Which file has the password (readable by the agent's user only)?"
        password = _file(interview, "broker.password_file", words, "/etc/edge-agent/mqtt-password")
    return Broker(host, port, is_encrypted, ca, cert, key, user, password)


def _file(interview: Interview, key: str, words: str, default: str) -> str:
    answer = interview(Question(key, words, default))
    return "" if answer in (NONE, SYSTEM) else answer


def _host(answer: str) -> str | None:
    try:
        MqttSettings(host=answer, insecure=True)
    except SettingsError as error:
        return error.faults[0].right
    return None


def _port(answer: str) -> str | None:
    return None if answer.isdecimal() and 1 <= int(answer) <= 65535 else "a number from 1 to 65535"


def _thermometers(interview: Interview, plugged: Plugged) -> list[Climate]:
    chips = [chip for chip in plugged.chips if chip.driver is not None and chip.driver != "nau7802"]
    found = []
    for chip in chips:
        place = _place(interview, chip.spot.key, _chip_words(chip, plugged), plugged)
        if place != SKIP and chip.driver is not None:
            found.append(Climate(chip.driver, place, chip.spot))
    return found


def _chip_words(chip: Found, plugged: Plugged) -> str:
    says = plugged.values.get(chip.spot.key)
    sure = "The" if chip.is_sure else "What looks like an"
    return f"{sure} {chip.words} ({chip.spot.words})" + (f" says {says}" if says else "")


def _probes(interview: Interview, plugged: Plugged) -> list[Climate]:
    found = []
    for probe in plugged.probes:
        says = plugged.values.get(probe)
        place = _place(interview, probe, f"The DS18B20 {probe}" + (f" says {says}" if says else ""), plugged)
        if place != SKIP:
            found.append(Climate("ds18b20", place, device=probe))
    return found


def _place(interview: Interview, key: str, what: str, plugged: Plugged) -> str:
    words = f"{what}. Which room is it in? ({SKIP}: do not use it)"
    return _name(interview, key, words, usual_place(plugged.temperatures_c.get(key)), LONGEST_PLACE)


def _cells(interview: Interview, plugged: Plugged) -> list[Cell]:
    """Each its own shelf, unless somebody gives two of them one name."""
    found = []
    for number, chip in enumerate((chip for chip in plugged.chips if chip.driver == "nau7802"), 1):
        words = f"Load cell {number} ({chip.spot.words}): which shelf does it carry? (one name for the cells below one)"
        shelf = _name(interview, chip.spot.key, words, f"shelf-{number}", 20)
        if shelf != SKIP:
            found.append(Cell(shelf, chip.spot))
    return found


def _capacity_g(interview: Interview, shelf: str) -> float:
    words = f"How many kg can {shelf} carry in all?"
    return 1000 * float(interview(Question(f"{shelf}.kg", words, USUAL_CAPACITY_KG, _kilograms)))


def _kilograms(answer: str) -> str | None:
    try:
        is_right = 0.1 <= float(answer) <= 2000
    except ValueError:
        is_right = False
    return None if is_right else "a number of kilograms from 0.1 to 2000"


def _wired(interview: Interview) -> Sequence[Wired]:
    words = (
        f"What is wired to single pins and cannot be found by itself: HX711, DHT22, door contact, {', '.join(PANEL)}? "
        f"For example: {pins.EXAMPLE}"
    )
    return pins.pins(interview(Question("pins", words, pins.NOTHING, pins.fault)))


def _region(interview: Interview, timezone: str) -> str:
    regions = [region.value for region in Region]

    def check(answer: str) -> str | None:
        return None if answer in regions else f"one of {', '.join(regions)}"

    words = f"Whose food law holds for what must be kept cold ({', '.join(regions)})?"
    return interview(Question("region", words, usual_region(timezone), check))
