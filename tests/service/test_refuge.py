"""A start on a card that takes no writes: the whole agent in RAM, and back onto the card with all it holds."""

import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.config import Settings, check
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Outcome, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.mqtt.wire import Incoming
from edge_agent.service.build import build
from edge_agent.service.health import conditions
from edge_agent.service.recorder import Recorder
from edge_agent.service.refuge import MARKER, Refuge, in_use, is_card_at_fault, open_files, refuges_of
from edge_agent.service.stepped import run_stepped
from edge_agent.storage.errors import (
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageNewer,
    StorageReadOnly,
)
from hardware_mocks.bench_board import BenchBoard
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.load_cell import LoadCell
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from hardware_mocks.vendor_time import vendor_time

CONFIG = """
[commands]
signatures = "off"

[node]
site = "elm-street"
name = "a1"

[board]
kind = "raspberry-pi"

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 1.0

[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = 1.0

[[shelf]]
name = "shelf-1"
capacity_g = 20_000.0

[[shelf.cell]]
sensor = "scale-1"
zero_counts = 1000
counts_per_gram = 100.0
"""
BASE = "storeroom/v1/elm-street/a1/"


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def sample(seconds: float) -> Sample:
    return Sample("cold-room", at(seconds), (Reading(Channel("cold-room", "temperature"), 4.0, at(seconds)),))


def alarm(seconds: float, state: str) -> Message:
    return Message(Stream.ALARM, "alarm/storage", json.dumps({"state": state}).encode(), at(seconds), retain=True)


def result(cmd_id: str) -> CommandResult:
    return CommandResult(Command(cmd_id, "tare", {}, "test", at(1)), ResultCode.DONE, at(1))


@contextmanager
def refusing(card: Path) -> Iterator[None]:
    """The directory and its files refuse writes; of root, too. Memory that is mapped goes on, as on a real card."""
    held = [card, *(path for path in card.iterdir() if path.is_file() and not path.name.endswith("-shm"))]
    if os.geteuid() != 0:
        for path in held:
            path.chmod(0o500 if path.is_dir() else 0o400)
    elif subprocess.run(["chattr", "+i", *held], capture_output=True, check=False).returncode:
        pytest.skip("NO CARD THAT REFUSES WRITES: this file system knows no chattr +i")
    try:
        yield
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", *held], capture_output=True, check=False)
        else:
            for path in held:
                path.chmod(0o700)


@pytest.fixture
def card(tmp_path) -> Path:
    return tmp_path / "card"


@pytest.fixture
def places(tmp_path) -> tuple[Path, ...]:
    (tmp_path / "ram").mkdir()
    return (tmp_path / "nowhere", tmp_path / "ram")


@pytest.fixture
def settings(card) -> Settings:
    found = check(CONFIG, "test")
    assert isinstance(found, Settings), found
    return replace(found, storage=replace(found.storage, directory=str(card)))


@pytest.fixture
def opened(settings, places):
    """Open the files as a start does; what a test leaves open is closed for it."""
    found = []

    def opener(seconds: float = 0):
        found.append(open_files(settings, at(seconds), places))
        return found[-1]

    yield opener
    for files in found:
        with suppress(StorageError):
            files.close()


# --- the card, or the configuration? --------------------------------------------------------------------------------


def ours(card: Path) -> None:
    card.mkdir()
    (card / "settings.db").write_bytes(b"SQLite format 3\0")


def empty_file(card: Path) -> None:
    card.mkdir()
    (card / "agent.db").touch()


def a_file(card: Path) -> None:
    card.touch()


@pytest.mark.parametrize(
    ("lies_there", "error", "is_card"),
    [
        (ours, StorageReadOnly("no"), True),
        (ours, StorageFull("no"), True),
        (ours, StorageError("I/O error"), True),
        (ours, StorageBusy("another agent"), False),
        (ours, StorageNewer("version 9"), False),
        (ours, StorageCorrupt("no"), False),
        (empty_file, StorageReadOnly("no"), False),
        (Path.mkdir, StorageReadOnly("no"), False),
        (Path.mkdir, StorageFull("no"), False),
        (a_file, StorageError("not a directory"), False),
        (lambda card: None, StorageReadOnly("no permission"), False),
    ],
)
def test_only_a_card_with_our_files_is_replaced_by_ram(card, lies_there, error, is_card):
    lies_there(card)
    assert is_card_at_fault(card, error) is is_card


def test_a_directory_that_is_wrong_stops_the_start_and_is_named(settings, tmp_path, places):
    (tmp_path / "file").touch()
    wrong = replace(settings, storage=replace(settings.storage, directory=str(tmp_path / "file")))
    with pytest.raises(StorageError, match="file"):
        open_files(wrong, at(0), places)
    assert list(places[1].iterdir()) == []


# --- there and back -------------------------------------------------------------------------------------------------


def test_the_agent_finds_its_memory_in_ram_and_everything_it_did_there_on_the_card(opened, settings, card, places):
    files = opened()
    serial, epoch = files.settings_file.identity().serial, files.store.epoch
    files.settings_file.mirror("scale/shelf-1", b"mirrored")
    files.store.commit([sample(1)], memory={"scale/shelf-1": b"1", "alarm/x": b"2"}, results=[result("c1")])
    files.close()

    with refusing(card):
        files = opened(10)
        assert files.refuge.instead_of == card
        assert files.refuge.directory.parent == places[1]
        assert files.refuge.directory.stat().st_mode & 0o777 == 0o700
        assert files.settings_file.identity().serial == serial
        assert files.settings_file.mirrored() == {"scale/shelf-1": b"mirrored"}
        assert files.store.memory() == {"scale/shelf-1": b"1", "alarm/x": b"2"}
        assert files.store.receive(Command("c1", "tare", {}, "test", at(11))).is_duplicate, "obeyed before"
        assert files.store.epoch != epoch
        assert files.store.last_seq(Stream.TELEMETRY) == 0, "what waits on the card waits there"
        files.store.commit([sample(n) for n in (12, 13, 14)], memory={"scale/shelf-1": b"3"}, results=[result("c2")])
        files.settings_file.mirror("scale/shelf-1", b"again")
        files.store.receive(Command("c3", "zero", {}, "test", at(15)))
        files.store.mark(Stream.TELEMETRY, [2], Outcome.ACCEPTED)
        assert not files.refuge.is_over()
        files.close()
    refuge = files.refuge
    assert refuge.is_over()
    assert in_use(card, places) == refuge.directory

    files = opened(20)
    assert in_use(card, places) == card
    assert files.refuge is None
    assert not refuge.directory.exists()
    assert files.store.epoch == epoch
    assert [row.content.at.mono_ms for row in files.store.pending(Stream.TELEMETRY, 0, 9)] == [1000, 12000, 14000]
    assert files.store.memory() == {"scale/shelf-1": b"3", "alarm/x": b"2"}
    assert files.settings_file.mirrored() == {"scale/shelf-1": b"again"}
    assert files.store.receive(Command("c2", "tare", {}, "test", at(21))).is_duplicate
    assert [command.cmd_id for command in files.store.waiting_commands()] == ["c3"]


def test_a_second_start_on_the_same_card_goes_on_in_the_same_refuge(opened, card, places):
    opened().close()
    with refusing(card):
        first = opened(10)
        first.store.commit([sample(10)])
        first.store._database.close()  # it died there
        second = opened(20)
        assert second.refuge.directory == first.refuge.directory == in_use(card, places)
        assert second.store.epoch == first.store.epoch
        assert second.store.commit([sample(20)]).spans == {Stream.TELEMETRY: (2, 2)}
        second.close()


def test_the_newest_state_comes_along_though_it_was_told(opened, card):
    """The one on the card is older: it must not pass for the present once the card is back."""
    files = opened()
    files.store.commit(messages=[alarm(1, "normal")])
    files.store.mark(Stream.ALARM, [1], Outcome.ACCEPTED)
    files.close()
    with refusing(card):
        files = opened(10)
        files.store.commit(messages=[alarm(n, state) for n, state in ((11, "unacknowledged"), (12, "acknowledged"))])
        files.store.mark(Stream.ALARM, [2], Outcome.ACCEPTED)
        files.close()
    (row,) = opened(20).store.latest_retained()
    assert row.content == alarm(12, "acknowledged")
    assert row.seq == 3, "in their order: the first one waits, the newest is told again"


def test_a_refuge_that_somebody_else_made_is_not_ours(card, places, tmp_path):
    card.mkdir()
    for name, of in (("edge-agent-refuge-1", card), ("edge-agent-refuge-2", tmp_path / "other"), ("elsewhere", card)):
        (places[1] / name).mkdir()
        (places[1] / name / MARKER).write_text(str(of))
    (places[1] / "edge-agent-refuge-unprepared").mkdir()
    (places[1] / "edge-agent-refuge-link").symlink_to(tmp_path / "nowhere")
    assert refuges_of(card, places) == [places[1] / "edge-agent-refuge-1"]


@pytest.mark.parametrize(
    ("waits", "is_tared", "stays"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_after_a_stop_it_is_gone_unless_it_holds_what_nobody_else_has(opened, card, waits, is_tared, stays):
    opened().close()
    with refusing(card):
        files = opened(10)
        files.store.commit([sample(10)], memory={"scale/shelf-1": b"1"} if is_tared else {"alarm/x": b"1"})
        if not waits:
            files.store.mark(Stream.TELEMETRY, [1], Outcome.ACCEPTED)
        files.close()
        files.refuge.leave()
        assert files.refuge.directory.exists() is stays


def test_without_any_place_in_ram_the_cards_fault_is_told(settings, card, opened, tmp_path):
    opened().close()
    with refusing(card), pytest.raises(StorageError, match=r"settings\.db"):
        open_files(settings, at(1), [tmp_path / "nowhere"])


def test_a_memory_that_cannot_be_read_does_not_keep_the_agent_from_measuring(opened, card):
    files = opened()
    files.settings_file.mirror("scale/shelf-1", b"mirrored")
    files.close()
    (card / "agent.db").write_bytes(b"no database" * 1000)
    with refusing(card):
        files = opened(10)
        assert files.refuge is not None
        assert files.settings_file.mirrored() == {"scale/shelf-1": b"mirrored"}
        files.close()


# --- the whole agent ------------------------------------------------------------------------------------------------


class Desk(Recorder):
    """A recorder, and somebody who asks for a tare in the beginning."""

    def __init__(self, out, now, questions) -> None:
        super().__init__(out, now)
        self._questions = questions

    def received(self):
        due = [question for question in self._questions if self.now().mono_ms >= question.received.mono_ms]
        self._questions = [question for question in self._questions if question not in due]
        return due


def test_the_whole_agent_measures_tells_and_obeys_in_ram_and_goes_back_to_the_card_by_itself(settings, card):
    clock = SimulatedClock()
    climate, cell = (
        Sht3xChip(clock, temperature_c=4.0, humidity_pct=80.0),
        LoadCell(counts_per_gram=100.0, zero_counts=1000),
    )
    scale = Nau7802Chip(clock, cell)
    cell.load_g = 350.0

    def run(until_s: float, happenings=(), questions=()) -> tuple[list[dict], object]:
        """One life of the agent: until then, or until it asks to begin anew."""
        board, out, stop, due = BenchBoard(clock), io.BytesIO(), threading.Event(), list(happenings)
        board.plug_in(climate, scale)

        def connect(identity, watch):
            asked = [
                Incoming(f"{BASE}cmd/{verb}", json.dumps({"cmd_id": verb, "shelf": "shelf-1"}).encode(), False, at_)
                for verb, at_ in ((verb, replace(watch.now(), mono_ms=round(1000 * when))) for when, verb in questions)
            ]
            return Desk(out, watch.now, asked)

        def live(decision, now) -> None:
            while due and now.mono_ms >= 1000 * due[0][0]:
                due.pop(0)[1]()
            if now.mono_ms >= 1000 * until_s:
                stop.set()

        with vendor_time(clock):
            parts = build(settings, board, connect)
            try:
                run_stepped(parts, stop, live)
            finally:
                parts.close()
        return [json.loads(line) for line in out.getvalue().splitlines()], parts

    def of(told, topic):
        return [message["payload"] for message in told if message["topic"] == BASE + topic]

    begin_s = clock.monotonic_s()
    _, parts = run(begin_s + 5)
    epoch = parts.identity.epoch
    with refusing(card):
        unplug = (begin_s + 30, lambda: setattr(climate, "unplugged", True))
        told, parts = run(begin_s + 100, [unplug], [(begin_s + 20, "tare")])
        refuge = parts.refuge
        assert refuge.directory.exists(), "it holds the tare"
    assert not parts.agent.reload_asked
    assert {message["payload"]["epoch"] for message in told if message["topic"].startswith(BASE)} != {epoch}
    assert of(told, "telemetry/cold-room")[0]["readings"]["temperature_c"]["value"] == pytest.approx(4, abs=0.1)
    assert [found["state"] for found in of(told, "alarm/storage")] == ["unacknowledged"]
    assert of(told, "alarm/sensor-cold-room")[0]["state"] == "unacknowledged"
    assert of(told, "rsp/tare")[0]["code"] == "done"
    standing = {found["alarm"] for found in of(told, "health")[-1]["alarms"]}
    assert standing == {"storage", "sensor-cold-room"}

    with refusing(card):
        told, parts = run(begin_s + 110)  # the same refuge, once more
        assert of(told, "stock/shelf-1")[-1]["balance"]["net_g"] == pytest.approx(0, abs=0.1)
    told, parts = run(begin_s + 300)
    assert parts.refuge is None
    assert parts.identity.epoch == epoch
    assert not refuge.directory.exists()
    assert of(told, "alarm/storage")[-1]["state"] == "normal"
    assert of(told, "stock/shelf-1")[-1]["balance"]["net_g"] == pytest.approx(0, abs=0.1)


def test_the_agent_asks_to_begin_anew_within_a_minute_of_the_cards_return(settings, card):
    clock = SimulatedClock()
    board, stop = BenchBoard(clock), threading.Event()
    board.plug_in(Sht3xChip(clock), Nau7802Chip(clock, LoadCell(counts_per_gram=100.0, zero_counts=1000)))
    open_files(settings, at(0)).close()
    seen = []
    with vendor_time(clock):
        with refusing(card):
            parts = build(settings, board, lambda identity, watch: Recorder(io.BytesIO(), watch.now))
        began_s = clock.monotonic_s()

        def live(decision, now) -> None:
            seen.append(parts.agent.reload_asked)
            if clock.monotonic_s() > began_s + 200:
                stop.set()

        try:
            run_stepped(parts, stop, live)
        finally:
            parts.close()
    assert seen[-1]
    assert clock.monotonic_s() - began_s == pytest.approx(60, abs=2)
    assert parts.refuge.directory.exists(), "the next start takes it over"
    shutil.rmtree(parts.refuge.directory)


def test_a_card_that_fails_for_good_under_the_running_agent_leaves_it_measuring_and_telling_from_ram(settings, card):
    if os.geteuid() != 0:
        pytest.skip(
            "A CARD THAT FAILS UNDER THE AGENT WAS NOT TRIED: file modes do not bind open files, chattr needs root"
        )
    clock = SimulatedClock()
    climate, scale = Sht3xChip(clock), Nau7802Chip(clock, LoadCell(counts_per_gram=100.0, zero_counts=1000))
    out, lives = io.BytesIO(), []
    with ExitStack() as failing, vendor_time(clock):
        began_s = clock.monotonic_s()

        def live(decision, now) -> None:
            if clock.monotonic_s() > began_s + 30 and len(lives) == 1 and not failing_since:
                failing_since.append(clock.monotonic_s())
                failing.enter_context(refusing(card))
            if clock.monotonic_s() > began_s + 200:
                stop.set()

        stop, failing_since = threading.Event(), []
        while not stop.is_set():
            board = BenchBoard(clock)
            board.plug_in(climate, scale)
            lives.append(build(settings, board, lambda identity, watch: Recorder(out, watch.now)))
            try:
                run_stepped(lives[-1], stop, live)
            finally:
                lives[-1].close()
    first, second = lives
    assert first.refuge is None
    assert second.refuge is not None
    assert "storage" not in {condition.name for condition in conditions(first)}, "not for a moment it is well"
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    readings = [message["payload"] for message in told if message["topic"] == BASE + "telemetry/cold-room"]
    past = [message["payload"] for message in told if message["topic"] == BASE + "hist/telemetry"]
    taken_ms = {found["mono_ms"] for found in readings}
    taken_ms |= {found["mono_ms"] for body in past for found in body["records"] if found["point"] == "cold-room"}
    instants_s = sorted(mono_ms / 1000 for mono_ms in taken_ms)
    assert instants_s[-1] > failing_since[0] + 150, "it tells what it measures now"
    assert max(b - a for a, b in pairwise(instants_s)) <= 3, (
        "but for the start anew nothing is missing, however long the card took nothing"
    )
    alarms = [message["payload"] for message in told if message["topic"] == BASE + "alarm/storage"]
    assert [found["state"] for found in alarms] == ["unacknowledged"]
    assert second.refuge.directory.exists(), "the broker has all of it, but the card lacks lines of the record"
    shutil.rmtree(second.refuge.directory)


def test_a_refuge_is_not_over_while_the_card_has_no_room_for_it(tmp_path, card):
    card.mkdir()
    (tmp_path / "ram").mkdir()
    refuge = Refuge(tmp_path / "ram", card, StorageFull("no room"))
    assert refuge.is_over()
    with (tmp_path / "ram" / "agent.db").open("wb") as file:
        file.truncate(1 << 42)  # more than the disk has, without a byte of it
    assert not refuge.is_over()
