"""Commands and memory through the whole agent: asked once, obeyed once, answered always, forgotten never."""

import json
import logging
from dataclasses import asdict

import pytest

from edge_agent.decide import Memory
from edge_agent.decide.memory import from_rows
from edge_agent.domain.message import Stream
from edge_agent.storage.settings_file import CalibrationRecord, SettingsFile

LED_PIN = 17
WITHOUT_SHELF = """
[node]
site = "elm-street"
name = "a1"

[[sensor]]
name = "scale-1"
driver = "nau7802"
interval_s = 1.0
"""
DEADLINE_S = 10.0


def rest(room, load_g: float, seconds: int = 30) -> None:
    """Until the scale is stable, and its stock committed."""
    room.cell.load_g = load_g
    for _ in range(seconds):
        room.cycle()


def lose_agent_db(room) -> None:
    for file in room.directory.glob("agent.db*"):
        file.unlink()


# --- what outlives what ---------------------------------------------------------------------------------------------


def test_a_tare_outlives_the_loss_of_agent_db(room):
    with room.running():
        rest(room, 350.0)
        room.ask("tare", shelf="shelf-1")
        room.cycle()
        assert room.of(room.send(), "rsp/tare")[0]["code"] == "done"
    lose_agent_db(room)
    with room.running():
        assert room.parts.agent.memory.scales["shelf-1"].tare_g == pytest.approx(350.0, abs=1)


def kept(room) -> Memory:
    """What a power cut would leave."""
    return from_rows(room.parts.store.memory())


def test_what_the_scale_does_by_itself_is_on_the_disk_within_a_minute_and_a_batch(room):
    with room.running():
        rest(room, 350.0)
        written = []
        for second in range(400):
            room.cell.load_g = 350.0 + second / 400
            room.cycle()
            now = room.parts.agent.memory.scales["shelf-1"]
            ago_s = kept(room).scales["shelf-1"].confirmed.age_s(now.confirmed)
            written.append(kept(room).scales["shelf-1"].confirmed.mono_ms)
            assert ago_s <= 120 + 70
        assert 2 <= len(set(written)) - 1 <= 4, "every other minute"


def test_a_clean_stop_leaves_what_was_known_last(room):
    with room.running():
        rest(room, 350.0)
        before = kept(room).scales["shelf-1"]
        for second in range(125):
            room.cell.load_g = 350.0 + second / 400
            room.cycle()
        last = room.parts.agent.memory.scales["shelf-1"]
        assert last != before
        room.parts.agent.flush(room.parts.watch.now())
        assert kept(room).scales["shelf-1"] == last


def test_a_row_with_the_pieces_inside_is_written_as_two(room):
    with room.running():
        rest(room, 350.0)
        state = room.parts.agent.memory.scales["shelf-1"]
    with room.built():
        row = json.dumps(asdict(state)).encode()
        room.parts.store.commit(memory={"scale/shelf-1": row, "pieces/shelf-1": None})
    with room.running():
        room.cycle()
        rows = room.parts.store.memory()
        assert "pieces/shelf-1" in rows
        assert b"pieces" not in rows["scale/shelf-1"]


def test_a_shelf_that_is_no_more_is_forgotten_but_for_its_tare_and_zero(room):
    with room.running():
        rest(room, 350.0)
        room.ask("tare", shelf="shelf-1")
        room.cycle()
        assert "scale/shelf-1" in room.parts.store.memory()
    with_shelf = room.settings
    room.settings = room.configured(WITHOUT_SHELF)
    with room.running():
        room.cycle()
        assert not [key for key in room.parts.store.memory() if key.endswith("/shelf-1")]
        assert room.parts.agent.memory.scales == {}
    room.settings = with_shelf
    with room.running():
        state = room.parts.agent.memory.scales["shelf-1"]
    assert (state.tare_g, state.net_g) == (pytest.approx(350.0, abs=1), None)


def calibrate(room, step: str, **body) -> dict:
    """The answer to one step."""
    room.ask("calibrate", cmd_id=f"{step}-{room.clock.monotonic_s()}", shelf="shelf-1", step=step, **body)
    room.cycle()
    (answer,) = room.of(room.send(), "rsp/calibrate")
    return answer


def test_a_calibration_that_the_settings_file_refuses_leaves_the_zero_and_is_finished_later(room):
    room.cell.noise_g = 0.3
    with room.running():
        rest(room, 40.0)
        room.ask("zero", shelf="shelf-1")
        rest(room, 40.0, 90)
        assert calibrate(room, "zero")["code"] == "done"
        rest(room, 15_040.0, 90)
        assert calibrate(room, "span", known_g=15_000)["code"] == "done"
        with room.broken("calibration", "settings.db"):
            assert calibrate(room, "finish")["code"] == "busy"
        assert room.parts.agent.memory.scales["shelf-1"].zero_g == pytest.approx(40.0, abs=1)
        assert calibrate(room, "finish")["code"] == "done"
        assert room.parts.agent.memory.scales["shelf-1"].zero_g == 0.0
        assert kept(room).scales["shelf-1"].zero_g == 0.0, "with the answer"


def test_a_calibration_done_at_the_scale_is_what_it_weighs_by(room):
    with room.built():
        at = room.parts.watch.now()
    file = SettingsFile.open(room.directory, at)
    file.add_calibration(CalibrationRecord("shelf-1", "scale-1", 1000, 50.0, "somebody", at))
    file.close()
    with room.running():
        rest(room, 350.0)
        (stock, *_) = reversed(room.of(room.send(), "stock/shelf-1"))
    assert stock["gross_g"] == pytest.approx(700.0, abs=2)


def test_a_row_of_memory_that_cannot_be_read_costs_that_row_and_no_more(room, caplog):
    with room.running():
        rest(room, 350.0)
        room.ask("tare", shelf="shelf-1")
        room.cycle()
        room.parts.store.commit(memory={"alarm/storage": b"garbage", "scale/other": b"[1]"})
    with room.running():
        memory = room.parts.agent.memory
    assert set(memory.scales) == {"shelf-1"}
    assert set(memory.alarms) == set()
    assert "alarm/storage" in caplog.text


# --- once, and always -----------------------------------------------------------------------------------------------


def test_a_command_is_obeyed_once_though_the_disk_does_not_take_its_answer(room):
    with room.running():
        room.cycle()
        with room.broken("outbox_rsp"):
            room.ask("identify", seconds=5)
            decisions = [room.cycle(), room.cycle(), room.cycle()]
            assert room.parts.keeper.fault is not None
        assert [len(decision.requests) for decision in decisions] == [1, 0, 0]
        room.cycle(10)
        assert [found["code"] for found in room.of(room.send(), "rsp/identify")] == ["done"]


def test_a_command_that_cannot_be_kept_is_answered_busy(room):
    with room.running():
        room.cycle()
        with room.broken("inbox"):
            room.ask("identify", seconds=5)
            room.cycle()
            (answer,) = room.of(room.send(), "rsp/identify")
    assert answer["code"] == "busy"
    assert "inbox" in answer["message"]


def burst(room, number: int) -> None:
    for count in range(number):
        room.ask("identify", cmd_id=f"burst-{count}", seconds=1)


def test_a_burst_of_commands_is_answered_to_the_last_one(room, caplog):
    caplog.set_level(logging.WARNING)
    with room.running():
        burst(room, 400)
        room.cycle()
        room.cycle()
        answers = room.of(room.send(), "rsp/identify")
    assert len({answer["cmd_id"] for answer in answers}) == 400
    codes = [answer["code"] for answer in answers]
    assert (codes.count("done"), codes.count("busy")) == (256, 144)
    assert len([record for record in caplog.records if "identify" in record.message]) == 1, "the log is on the card"
    assert [r.message for r in caplog.records if "busy" in r.message] == [
        "commands answered busy, because too many came at once: 144, and counting",
        "commands answered busy, because too many came at once: 144 in all, for now it is over",
    ]


def test_what_is_beyond_all_bounds_is_counted_told_and_logged_once(room, caplog):
    with room.running():
        for _ in range(2):
            burst(room, 256 + 1000 + 5)
            room.cycle(30)
        room.desk.unheard = 7
        room.cycle(60)
        (health, *_) = reversed(room.of(room.send(), "health"))
        assert room.parts.store.last_seq(Stream.RSP) == 2 * (256 + 1000)
    (told,) = [fault for fault in health["faults"] if "commands" in fault]
    assert "2000 were answered busy, 17 not at all" in told
    assert len([r for r in caplog.records if "lost without an answer" in r.message]) == 1


# --- the light ------------------------------------------------------------------------------------------------------


def test_identify_blinks_the_light_and_a_stop_leaves_it_dark(room):
    seen = []
    with room.running():
        pin = room.pins.pin(LED_PIN)
        room.cycle()
        room.ask("identify", seconds=60)
        room.cycle()
        for _ in range(9):
            room.parts.panel.play(room.parts.watch.now())
            seen.append(bool(pin.state))
            room.clock.sleep(0.25)
    assert seen == [True, False] * 4 + [True]
    assert not pin.state
