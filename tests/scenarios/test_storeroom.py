"""Stories a grocer would tell, from the chip to the message."""

import pytest

from hardware_mocks.clock import SimulatedClock

BASE = "storeroom/v1/elm-street/a1/"


def of(told, topic):
    return [message["payload"] for message in told if message["topic"] == BASE + topic]


def values(told, point, field):
    return [payload["readings"][field] for payload in of(told, f"telemetry/{point}")]


def test_each_reading_arrives_once_in_order_with_its_number(storeroom):
    told = storeroom.run(120)
    climate = of(told, "telemetry/cold-room")
    assert len(climate) == 13
    assert {round(payload["readings"]["temperature_c"]["value"], 1) for payload in climate} == {4.0}
    numbers = [m["payload"]["seq"] for m in told if "/telemetry/" in m["topic"]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_node_says_who_it_is_and_that_it_leaves(storeroom):
    told = storeroom.run(30)
    assert next(payload["state"] for payload in of(told, "status")) == "online"
    assert of(told, "status")[-1]["state"] == "offline"
    (meta,) = of(told, "meta")
    assert {point["point"] for point in meta["points"]} == {"cold-room", "scale-1", "shelf-1"}
    assert of(told, "health")


def test_what_lies_on_the_shelf_is_told_in_grams(storeroom):
    storeroom.cell.load_g = 1500.0
    told = storeroom.run(40)
    assert values(told, "shelf-1", "net_g")[-1] == {"value": pytest.approx(1500, abs=0.1), "quality": "good"}
    assert of(told, "stock/shelf-1")[-1]["balance"]["net_g"] == pytest.approx(1500, abs=0.1)


def test_an_unplugged_sensor_is_bad_at_once_an_alarm_soon_and_good_again_by_itself(storeroom):
    def unplug():
        storeroom.climate.unplugged = True

    def plug():
        storeroom.climate.unplugged = False

    told = storeroom.run(300, (60, unplug), (180, plug))
    readings = values(told, "cold-room", "temperature_c")
    bad = [reading for reading in readings if reading["quality"] == "bad"]
    assert {(reading["value"], reading["fault"]) for reading in bad} == {(None, "no-answer")}
    assert readings[-1]["quality"] == "good"
    states = [(payload["state"], payload["evidence"]) for payload in of(told, "alarm/sensor-cold-room")
              if payload["state"] != "normal"]  # fmt: skip
    assert states == [("unacknowledged", "no-answer")]
    assert of(told, "alarm/sensor-cold-room")[-1]["state"] == "normal"
    assert len(values(told, "scale-1", "counts")) >= 295, "the scale lost nothing"
    qualities = [reading["quality"] for reading in values(told, "shelf-1", "net_g")]
    filled = qualities.index("good")
    assert set(qualities[:filled]) == {"uncertain"}, "until the filters are filled"
    assert set(qualities[filled:]) == {"good"}
    assert filled < 10


def test_a_tare_by_command_is_answered_and_survives_a_restart(storeroom):
    storeroom.cell.load_g = 350.0
    told = storeroom.run(30, commands=[(20, "tare", {"cmd_id": "c1", "shelf": "shelf-1"})])
    (answer,) = of(told, "rsp/tare")
    assert (answer["code"], answer["cmd_id"]) == ("done", "c1")
    (event,) = of(told, "event/shelf-1")
    assert (event["kind"], event["balance_after"]["net_g"]) == ("tare", pytest.approx(0, abs=0.1))

    storeroom.cell.load_g = 1350.0
    again = storeroom.run(20)
    assert values(again, "shelf-1", "net_g")[-1]["value"] == pytest.approx(1000, abs=0.1)
    numbers = {m["payload"]["seq"] for m in storeroom.told if "/telemetry/" in m["topic"]}
    assert numbers == set(range(1, len(numbers) + 1)), "the numbers go on"
    assert not of(again, "meta") or of(again, "meta")[-1]["seq"] == 1, "an unchanged description is no new message"


def test_the_same_command_twice_is_obeyed_once(storeroom):
    command = {"cmd_id": "c1", "shelf": "shelf-1", "units": 7}
    told = storeroom.run(40, commands=[(20, "count", command), (25, "count", command)])
    assert [answer["code"] for answer in of(told, "rsp/count")] == ["done", "duplicate"]
    assert len(of(told, "event/shelf-1")) == 1
    assert of(told, "stock/shelf-1")[-1]["balance"]["units"] == 7


@pytest.mark.parametrize(
    ("verb", "payload", "code"),
    [
        ("tare", b"\xff\xfe", "invalid"),
        ("tare", b"[1]", "invalid"),
        ("tare", {"shelf": "shelf-1"}, "invalid"),  # no cmd_id
        ("tare", {"cmd_id": "c", "shelf": "nowhere"}, "invalid"),
        ("explode", {"cmd_id": "c"}, "unsupported"),
        ("replay", {"cmd_id": "c", "stream": "telemetry", "from_seq": 5, "to_seq": 1}, "invalid"),
        ("tare", b'{"cmd_id": "c", "pad": "' + b"x" * 20_000 + b'"}', "invalid"),
    ],
)
def test_a_hostile_command_is_answered_and_changes_nothing(storeroom, verb, payload, code):
    told = storeroom.run(20, commands=[(10, verb, payload)])
    (answer,) = of(told, f"rsp/{verb}")
    assert (answer["code"], bool(answer["message"])) == (code, True)
    assert not of(told, "event/shelf-1")


def test_a_replay_sends_the_same_numbers_again_as_history(storeroom):
    told = storeroom.run(
        90, commands=[(60, "replay", {"cmd_id": "c", "stream": "telemetry", "from_seq": 3, "to_seq": 9})]
    )
    (answer,) = of(told, "rsp/replay")
    assert answer["detail"]["available"] == 7
    records = [record for payload in of(told, "hist/telemetry") for record in payload["records"]]
    live = {m["payload"]["seq"]: m["payload"] for m in told if "/telemetry/" in m["topic"] and "hist" not in m["topic"]}
    assert [record["seq"] for record in records] == list(range(3, 10))
    assert all(record["readings"] == live[record["seq"]]["readings"] for record in records)


def test_a_reload_with_faults_is_refused_with_each_of_them(storeroom):
    storeroom.reload_faults = ['line 3: sensor "x": interval_s = 0: must be between 0.1 and 86400 s']
    told = storeroom.run(30, commands=[(10, "reload", {"cmd_id": "c"})])
    (answer,) = of(told, "rsp/reload")
    assert (answer["code"], answer["message"]) == ("invalid", storeroom.reload_faults[0])


def test_rows_of_a_start_in_1970_are_put_right_when_the_clock_comes(make_storeroom):
    clock = SimulatedClock(wall_s=0.0, synchronised=False)
    storeroom = make_storeroom(clock)
    told = storeroom.run(
        100, (50, lambda: clock.synchronise(1_795_417_200.0)),
        commands=[(70, "replay", {"cmd_id": "c", "stream": "telemetry", "from_seq": 1, "to_seq": 10})],
    )  # fmt: skip
    live = of(told, "telemetry/cold-room")
    assert {payload["ts"][:4] for payload in live if payload["clock"] == "unsynced"} == {"1970"}
    assert {payload["ts"][:4] for payload in live if payload["clock"] == "synced"} == {"2026"}
    assert [payload["mono_ms"] for payload in live] == sorted(payload["mono_ms"] for payload in live)
    records = [record for payload in of(told, "hist/telemetry") for record in payload["records"]]
    assert {(record["clock"], record["ts"][:4]) for record in records} == {("corrected", "2026")}
