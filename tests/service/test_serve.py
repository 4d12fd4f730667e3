"""The life of the process over several configurations: what a reload keeps, and what it must not cost."""

import json
import threading
from dataclasses import replace

import pytest

from edge_agent.config import ConfigError, Settings, check
from edge_agent.domain.command import Command
from edge_agent.domain.message import Stream
from edge_agent.mqtt.settings import MqttSettings, TlsSettings
from edge_agent.service.lock import refuse_if_held
from edge_agent.service.main import serve
from edge_agent.service.precheck import unusable
from edge_agent.storage.archive import Archive
from edge_agent.storage.errors import StorageBusy
from edge_agent.storage.inbox import Inbox

CONFIG = """
[node]
site = "elm-street"
name = "a1"

[mqtt]
port = 9

[board]
kind = "simulated"
speed = 0.0

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 1.0
"""
SECOND_SENSOR = """
[[sensor]]
name = "freezer"
driver = "sht4x"
interval_s = 1.0
address = 0x45
"""
NO_SUCH_TRACE = """
[node]
site = "elm-street"
name = "a1"

[mqtt]
port = 9

[board]
kind = "replay"
trace = "/nowhere/trace.csv"

[[board.source]]
sensor = "cold-room"
quantity = "temperature"
column = "T"

[[board.source]]
sensor = "cold-room"
quantity = "humidity"
column = "RH"

[[sensor]]
name = "cold-room"
driver = "sht3x"
"""


@pytest.fixture
def configured(tmp_path):
    def configured(text: str) -> Settings:
        found = check(text, "test")
        assert isinstance(found, Settings), found
        return replace(found, storage=replace(found.storage, directory=str(tmp_path / "state")))

    return configured


class Life:
    """Serves one configuration after the other; asks for a reload in the tenth cycle of each life."""

    def __init__(self, directory, texts, cycles: int = 60) -> None:
        self.directory = directory
        self.loads = iter(texts)
        self.loaded = 0
        self.stop = threading.Event()
        self.cycles, self.cycle, self.asked = cycles, 0, 0
        self.decisions: list = []
        self.results: dict[str, str] = {}
        self.at_reload: list = []

    def load(self) -> Settings:
        self.loaded += 1
        found = next(self.loads)
        if isinstance(found, Exception):
            raise found
        return found

    def serve(self) -> "Life":
        serve(self.load, self.stop, on_cycle=self)
        return self

    def __call__(self, decision, now) -> None:
        self.cycle += 1
        self.decisions.append(decision)
        with pytest.raises(StorageBusy):
            refuse_if_held(self.directory)
        if self.cycle == 10:
            inbox = Inbox.open(self.directory)
            inbox.receive(Command("reload-1", "reload", {}, "cli", now))
            inbox._database.close()
            self.at_reload = [self.epoch_and_backlog()]
        if self.cycle >= self.cycles:
            self.stop.set()

    def epoch_and_backlog(self):
        stats = Archive.open(self.directory).stats()
        return stats.epoch, stats.streams[Stream.TELEMETRY].pending

    def result(self) -> str:
        inbox = Inbox.open(self.directory)
        found = inbox.result_of("reload-1")
        inbox._database.close()
        return found.code.value

    def alarms(self) -> dict[str, str]:
        rows = Archive.open(self.directory).memory()
        return {key: json.loads(row)["state"] for key, row in rows.items() if key.startswith("alarm/")}


def test_a_reload_puts_the_new_configuration_to_work_and_keeps_epoch_and_backlog(configured, tmp_path):
    first, second = configured(CONFIG), configured(CONFIG + SECOND_SENSOR)
    life = Life(tmp_path / "state", [first, second, second]).serve()
    assert life.loaded == 3, "at the start, to check, to begin anew"
    assert life.result() == "done"
    assert set(life.decisions[0].memory.sensors) == {"cold-room"}
    assert set(life.decisions[-1].memory.sensors) == {"cold-room", "freezer"}
    epoch, backlog = life.epoch_and_backlog()
    assert epoch == life.at_reload[0][0]
    assert backlog > life.at_reload[0][1] + 10, "no broker was there: all of it waits, from the first to the last"
    assert Archive.open(tmp_path / "state").stats().streams[Stream.TELEMETRY].dropped == {}
    refuse_if_held(tmp_path / "state")


def test_a_configuration_that_cannot_be_put_to_work_does_not_kill_the_node(configured, tmp_path, caplog):
    first, second = configured(CONFIG), configured(NO_SUCH_TRACE)
    life = Life(tmp_path / "state", [first, second, second]).serve()
    assert life.cycle >= 60, "it goes on"
    assert set(life.decisions[-1].memory.sensors) == {"cold-room"}
    assert life.alarms()["alarm/reload-failed"] == "unacknowledged"
    assert any("/nowhere/trace.csv" in r.message for r in caplog.records if r.levelname == "ERROR")


def test_a_file_that_turned_bad_between_the_check_and_the_reload_does_not_kill_the_node(configured, tmp_path):
    first = configured(CONFIG)
    fault = check("", "half.toml")
    assert not isinstance(fault, Settings)
    life = Life(tmp_path / "state", [first, first, ConfigError(fault)]).serve()
    assert life.cycle >= 60
    assert life.alarms()["alarm/reload-failed"] == "unacknowledged"


def test_what_a_check_can_see_is_refused_and_nothing_begins_anew(configured, tmp_path):
    first = configured(CONFIG)
    second = replace(first, mqtt=replace(first.mqtt, password_file="/nowhere/password"))
    life = Life(tmp_path / "state", [first, second]).serve()
    assert (life.loaded, life.result()) == (2, "invalid")
    assert "alarm/reload-failed" not in life.alarms()


def test_the_first_configuration_must_work(configured, tmp_path):
    with pytest.raises(Exception, match="trace"):
        Life(tmp_path / "state", [configured(NO_SUCH_TRACE)]).serve()
    refuse_if_held(tmp_path / "state")


# --- what can be said beforehand ------------------------------------------------------------------------------------


def test_files_that_a_configuration_names_are_looked_at_before_it_is_put_to_work(configured, tmp_path):
    present = configured(CONFIG)
    (tmp_path / "file").touch()
    assert unusable(present, present) == []

    def stored(directory) -> Settings:
        return replace(present, storage=replace(present.storage, directory=str(directory)))

    def told(**mqtt) -> Settings:
        return replace(present, mqtt=MqttSettings(**mqtt))

    cases = [
        (stored(tmp_path / "file"), "is no directory"),
        (stored(tmp_path / "file" / "below"), "is no directory"),
        (stored(tmp_path / "new" / "below"), None),
        (told(username="a1", password_file="/nowhere/password"), "mqtt.password_file /nowhere/password"),
        (told(tls=TlsSettings(ca_file=str(tmp_path / "file"))), "mqtt.tls.ca_file"),
    ]
    for wanted, words in cases:
        found = unusable(wanted, present)
        assert (found == []) if words is None else (len(found) == 1 and words in found[0]), wanted
    wrong = stored(tmp_path / "file")
    assert unusable(wrong, wrong) == [], "the present one may be a card that has failed"
