"""An alarm's life through the whole agent: asked by MQTT, answered, told, written down, and there after a power cut."""

from edge_agent.domain.alarm import AlarmState

SENSOR = "sensor-cold-room"


def unplug(room) -> None:
    room.climate.unplugged = True
    for _ in range(5):
        room.cycle()


def ask(room, verb: str, **body) -> dict:
    room.ask(verb, alarm=SENSOR, who="desk", **body)
    room.cycle()
    told = room.send()
    (answer,) = room.of(told, f"rsp/{verb}")
    return answer | {"told": told}


def state(room) -> AlarmState:
    return room.parts.agent.memory.alarms[SENSOR].state


def test_an_acknowledgement_is_answered_told_logged_and_recorded_with_who(room):
    with room.running():
        unplug(room)
        answer = ask(room, "acknowledge")
        assert (answer["code"], answer["detail"]["alarms"]) == ("done", {SENSOR: "acknowledged"})
        standing = room.of(answer["told"], f"alarm/{SENSOR}")[-1]
        assert (standing["state"], standing["by"], standing["active"], standing["count_24h"]) == (
            *("acknowledged", "mqtt:desk"),
            *(True, 1),
        )
        line = room.of(answer["told"], "alarmlog")[-1]
        assert (line["before"], line["change"], line["who"]) == ("unacknowledged", "acknowledged", "mqtt:desk")


def test_an_acknowledged_alarm_is_so_after_a_power_cut_and_does_not_flicker(room):
    with room.running():
        unplug(room)
        ask(room, "acknowledge")
        room.cycle(100)
    with room.running():
        seen = [room.cycle().transitions for _ in range(120)]
        assert state(room) is AlarmState.ACKNOWLEDGED
        assert not any(found.alarm.name == SENSOR for cycle in seen for found in cycle)
        room.climate.unplugged = False
        for _ in range(90):
            room.cycle()
        assert state(room) is AlarmState.NORMAL


def test_a_shelved_alarm_comes_back_after_the_power_cut_in_its_time(room):
    with room.running():
        unplug(room)
        assert ask(room, "shelve", minutes=10, reason="a new plug is coming")["code"] == "done"
        assert ask(room, "acknowledge", cmd_id="b")["code"] == "invalid"
    with room.running():
        room.cycle(500)
        assert state(room) is AlarmState.SHELVED
        room.cycle(120)
        assert state(room) is AlarmState.UNACKNOWLEDGED


def test_what_cannot_be_done_is_answered_in_words(room):
    with room.running():
        room.cycle()
        answer = ask(room, "shelve", minutes=10_000)
        assert (answer["code"], "at most 480" in answer["message"]) == ("invalid", True)
        answer = ask(room, "acknowledge")
        assert (answer["code"], "it is normal" in answer["message"]) == ("invalid", True)
