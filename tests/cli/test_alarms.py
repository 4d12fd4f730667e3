"""`alarms` lists what stands; the verbs act on it through the inbox, and answer in words."""

import pytest

from edge_agent.cli.exits import Exit


def test_without_an_alarm_nothing_stands(call, healthy) -> None:
    told = call("alarms", "--config", healthy)
    assert (told.code, told.out.strip()) == (Exit.OK, "no alarm stands")
    assert call("alarms", "--config", healthy, "--json").json == []


def test_a_standing_alarm_is_listed_with_what_to_do(call, faulty) -> None:
    told = call("alarms", "--config", faulty)
    assert told.code == Exit.FAULT
    assert "sensor-cold-room" in told.out
    assert "Check its plug" in told.out
    (alarm,) = call("alarms", "--config", faulty, "--json").json
    assert (alarm["alarm"], alarm["state"], alarm["active"], alarm["count_24h"]) == (
        *("sensor-cold-room", "unacknowledged"),
        *(True, 1),
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("acknowledge", "cold-room-door"), "there is no such alarm"),
        (("acknowledge", "sensor-cold-room"), "it is normal"),
        (("acknowledge", "all"), "there is no alarm to acknowledge"),
        (("shelve", "sensor-cold-room", "--minutes", 481), "at most 480"),
        (("unshelve", "cold-room-door"), "there is no such alarm"),
        (("in-service", "cold-room-door"), "there is no such alarm"),
        (("correct", "cold-room-door", "shut it"), "there is no such alarm"),
        (("silence", "all"), "there is no alarm to silence"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(call, live, words, says) -> None:
    told = call(*words, "--config", live)
    assert told.code == Exit.REFUSED
    assert told.out.startswith("invalid: ")
    assert says in told.out


def test_an_alarm_is_taken_out_of_service_beforehand_and_put_back(call, live) -> None:
    told = call("out-of-service", "sensor-cold-room", "--reason", "away for repair", "--who", "ann", "--config", live)
    assert (told.code, told.out.strip()) == (Exit.OK, "done: sensor-cold-room is out-of-service")
    listed = call("alarms", "--config", live)
    assert listed.code == Exit.OK, "it is listed, and calls nobody"
    assert "local:ann" in listed.out
    (answer,) = call("in-service", "sensor-cold-room", "--config", live, "--json").json
    assert (answer["code"], answer["detail"]["alarms"]) == ("done", {"sensor-cold-room": "normal"})


@pytest.mark.parametrize("words", [("shelve", "x"), ("out-of-service", "x"), ("correct", "x")])
def test_no_shelving_without_an_end_and_nothing_out_of_service_without_a_reason(call, healthy, words) -> None:
    told = call(*words, "--config", healthy)
    assert told.code == Exit.USAGE
