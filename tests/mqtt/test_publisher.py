"""The publisher against brokers that behave badly, on a simulated clock."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.message import Message, Outcome, Stream
from edge_agent.mqtt.publisher import ACK_TIMEOUT_S
from edge_agent.mqtt.settings import MqttSettings
from edge_agent.mqtt.wire import Outgoing
from edge_agent.storage.errors import StorageError
from hardware_mocks.brokers import QUOTA_EXCEEDED


def assert_all_there(world, *, dropped=0):
    """Nothing lost, nothing twice after de-duplication, nothing out of order, every row marked."""
    assert world.outbox.waiting() == []
    assert world.consumer.gaps() == {}
    assert sum(world.consumer.inversions.values()) == 0
    refused = sum(1 for outcome, _ in world.outbox.outcomes.values() if outcome is Outcome.REFUSED)
    told = sum(len(rows) for rows in world.outbox.rows.values())
    assert world.consumer.records == told - refused - dropped
    assert world.consumer.counts["garbage"] == 0


# --- the good day ----------------------------------------------------------------------------------------------------


def test_a_sample_goes_out_at_once_and_is_marked_on_its_ack(world):
    world.sample(3.42)
    world.run()
    assert world.topics() == ["telemetry/cold-room"]
    assert world.outbox.outcomes == {(Stream.TELEMETRY, 1): (Outcome.ACCEPTED, "")}


def test_the_birth_is_the_first_message_of_each_connection(world):
    world.event()
    world.run()
    world.broker.cut()
    world.run()
    births = [i for i, item in enumerate(world.broker.delivered) if item.topic.endswith("/status")]
    assert births[0] == 0
    assert [json.loads(world.broker.delivered[i].payload)["session"] for i in births] == [1, 2]


def test_the_birth_is_told_again_after_one_and_a_half_keep_alives_because_an_old_will_may_come_late(world):
    world.run()
    world.broker.delivered.clear()
    world.run(44)
    assert world.broker.delivered == []
    world.run(2)
    assert [item.topic for item in world.broker.delivered] == ["storeroom/v1/s0412/a1/status"]


def test_what_is_announced_follows_the_birth_of_each_connection(world):
    world.publisher.announce([Outgoing("homeassistant/device/a1/config", b"{}", retain=True)])
    world.run()
    world.broker.cut()
    world.run()
    topics = [item.topic for item in world.broker.delivered]
    assert topics == ["storeroom/v1/s0412/a1/status", "homeassistant/device/a1/config"] * 2
    assert world.outbox.waiting() == []


def test_alarms_leave_before_events_before_telemetry(world):
    for _ in range(30):
        world.sample()
    world.event()
    world.message(Stream.ALARM, "alarm/door", retain=True)
    world.run()
    assert world.topics()[:3] == ["alarm/door", "event/shelf-1", "telemetry/cold-room"]


def test_what_is_left_of_a_samples_time_is_its_expiry(world):
    sent = []
    take = world.broker.take
    world.broker.take = lambda outgoing: (sent.append(outgoing), take(outgoing))[1]
    world.broker.go_away()
    world.sample()
    world.run(30)
    world.broker.come_back()
    world.run(1)
    telemetry = [outgoing for outgoing in sent if "telemetry" in outgoing.topic]
    assert [outgoing.expiry_s for outgoing in telemetry] == [150]


def test_no_more_than_the_window_is_in_flight(make_world):
    world = make_world(latency_s=1.0)
    for _ in range(200):
        world.event()
    world.run(0)
    assert world.link.in_flight == 20  # the simulated link raises on a twenty-first
    world.run(30)
    assert_all_there(world)


# --- live and backlog -------------------------------------------------------------------------------------------------


def test_after_an_outage_the_present_comes_first_and_the_past_goes_to_hist_in_order(world):
    world.run()
    world.broker.go_away()
    for _ in range(100):
        world.event()
        world.sample()
        world.run(5)
    world.broker.come_back()
    world.broker.delivered.clear()
    world.run(20)
    assert_all_there(world)
    first_hist = next(i for i, topic in enumerate(world.topics()) if topic.startswith("hist/"))
    live = world.topics()[:first_hist]
    # Events of the last 60 s, samples of the last 180 s are still the present.
    assert (live.count("event/shelf-1"), live.count("telemetry/cold-room")) == (12, 36)
    assert all(topic.startswith("hist/") for topic in world.topics()[first_hist:])


def test_old_state_never_goes_to_a_live_topic_after_newer_state(world):
    world.run()
    world.broker.go_away()
    for _ in range(50):
        world.message(Stream.STOCK, "stock/shelf-1", retain=True)
        world.message(Stream.STOCK, "stock/shelf-2", retain=True)
        world.run(60)
    world.broker.come_back()
    world.run(10)
    assert json.loads(world.broker.retained["storeroom/v1/s0412/a1/stock/shelf-1"])["seq"] == 99
    assert json.loads(world.broker.retained["storeroom/v1/s0412/a1/stock/shelf-2"])["seq"] == 100
    assert_all_there(world)


def test_rows_of_an_earlier_boot_are_backlog_whatever_their_clock_says(make_world):
    world = make_world()
    world.broker.go_away()
    world.event()
    world.clock.boot = "boot-2"
    world.event()
    world.publisher = world.new_publisher()
    world.broker.come_back()
    world.run(1)
    assert world.topics() == ["event/shelf-1", "hist/event"]
    (hist,) = [json.loads(item.payload) for item in world.broker.delivered if "hist" in item.topic]
    assert [record["seq"] for record in hist["records"]] == [1]
    assert hist["boot"] == "boot-1"


def test_one_message_of_backlog_never_mixes_boots(make_world):
    world = make_world()
    world.broker.go_away()
    for boot in ("boot-1", "boot-1", "boot-2", "boot-3"):
        world.clock.boot = boot
        world.event()
    world.clock.boot = "boot-4"
    world.broker.come_back()
    world.run(1)
    found = [json.loads(item.payload) for item in world.broker.delivered if "hist" in item.topic]
    assert [(body["boot"], body["count"]) for body in found] == [("boot-1", 2), ("boot-2", 1), ("boot-3", 1)]
    assert_all_there(world)


@pytest.mark.parametrize("per_s", [5.0, 50.0])
def test_backlog_is_paced(make_world, per_s):
    world = make_world(settings=MqttSettings(backlog_per_s=per_s, backlog_records=1))
    world.broker.go_away()
    for _ in range(300):
        world.event()
    world.clock.sleep(100)
    world.broker.come_back()
    world.run(3)
    moments = [item.at_s for item in world.broker.delivered if "hist" in item.topic]
    assert len(moments) >= 0.9 * 3 * per_s
    for start in moments:
        assert sum(1 for moment in moments if start <= moment < start + 1) <= per_s + 1


def test_without_pacing_the_backlog_goes_at_once_and_leaves_room_for_an_alarm(make_world):
    world = make_world(settings=MqttSettings(backlog_per_s=0, backlog_records=1), latency_s=0.1)
    world.broker.go_away()
    for _ in range(500):
        world.event()
    world.clock.sleep(100)
    world.broker.come_back()
    world.run(1.05)
    assert world.link.in_flight == 16
    world.message(Stream.ALARM, "alarm/door", retain=True)
    world.run(0)
    assert world.topics()[-1] == "alarm/door"


def test_live_messages_pass_while_a_backlog_is_being_sent(make_world):
    world = make_world(settings=MqttSettings(backlog_per_s=1, backlog_records=1))
    world.broker.go_away()
    for _ in range(100):
        world.event()
    world.clock.sleep(100)
    world.broker.come_back()
    for _ in range(10):
        row = world.event()
        world.run(0)
        assert world.outbox.outcomes[Stream.EVENT, row.seq][0] is Outcome.ACCEPTED
        world.run(1)
    world.run(120)
    assert_all_there(world)


def test_a_payload_of_backlog_stays_within_16_kilobytes(world):
    world.broker.go_away()
    for _ in range(60):
        world.outbox.commit(Message(Stream.EVENT, "event/s", b'{"x":"' + b"y" * 1500 + b'"}', world.now()))
    world.clock.sleep(100)
    world.broker.come_back()
    world.run(30)
    sizes = [len(item.payload) for item in world.broker.delivered if "hist" in item.topic]
    assert len(sizes) > 4
    assert max(sizes) <= 16_384
    assert_all_there(world)


def test_a_simulated_week_of_outage_is_never_loaded_at_once(make_world):
    world = make_world(settings=MqttSettings(backlog_per_s=0))
    world.broker.go_away()
    for _ in range(10_080):
        world.clock.sleep(60)
        world.sample()
    world.broker.come_back()
    world.run(60)
    assert_all_there(world)
    assert world.outbox.largest_page <= 100


def test_numbers_that_retention_took_are_told_and_never_missed(world):
    world.broker.go_away()
    for _ in range(100):
        world.event()
    world.outbox.drop(Stream.EVENT, 1, 20)
    world.outbox.drop(Stream.EVENT, 31, 40)
    world.clock.sleep(100)
    world.broker.come_back()
    world.run(10)
    assert_all_there(world, dropped=30)
    assert world.consumer.dropped() == 30


# --- brokers that misbehave -------------------------------------------------------------------------------------------


def test_an_ack_of_a_connection_given_up_marks_nothing_wrong(make_world):
    world = make_world(latency_s=0.5)
    for _ in range(20):
        world.event()
    world.run(0)
    world.broker.cut()  # delivered, and the acknowledgements lost
    assert world.outbox.outcomes == {}
    world.run(5)
    assert world.consumer.duplicates > 0
    assert_all_there(world)


def test_backlog_whose_acknowledgements_are_lost_goes_again(make_world):
    world = make_world(latency_s=1.0, settings=MqttSettings(backlog_per_s=0))
    world.broker.go_away()
    for _ in range(300):
        world.event()
    world.clock.sleep(100)
    world.broker.come_back()
    world.run(0.5, until=lambda: bool(world.topics("hist/")))
    assert world.link.in_flight > 1
    world.broker.cut()
    world.run(10)
    assert world.consumer.duplicates >= 50
    assert_all_there(world)


def test_what_grows_old_behind_a_slow_broker_leaves_the_live_topics(make_world):
    world = make_world(latency_s=20.0)
    for _ in range(200):
        world.event()
    world.run(400)
    assert world.topics().count("event/shelf-1") <= 80  # four windows of 20, in the first minute
    assert_all_there(world)


def test_a_frozen_broker_loses_nothing_and_its_link_is_made_anew(world):
    world.run()
    world.broker.freeze()
    for _ in range(60):
        world.event()
        world.run(1)
    assert world.outbox.outcomes == {}
    assert len(world.link.restarts) == 1
    assert f"no acknowledgement for {ACK_TIMEOUT_S:.0f} s" in world.link.restarts[0]
    world.broker.thaw()
    world.run(10)
    assert_all_there(world)


def test_a_slow_broker_is_not_a_frozen_one(make_world):
    world = make_world(latency_s=20.0)
    for _ in range(60):
        world.event()
        world.run(2)
    world.run(200)
    assert world.link.restarts == []
    assert_all_there(world)


def test_acknowledgements_in_any_order_mark_their_own_rows(world):
    world.broker.random = Random(7)
    world.broker.latency_s = 0.2
    for _ in range(200):
        world.event()
        world.run(0.05)
    world.run(5)
    assert_all_there(world)


def test_a_topic_refused_for_good_is_kept_aside_and_the_rest_goes_on(world):
    world.broker.refuse("storeroom/v1/s0412/a1/stock/")
    for _ in range(5):
        world.message(Stream.STOCK, "stock/shelf-1", retain=True)
        world.event()
    world.run(1)
    assert [world.outbox.outcomes[Stream.STOCK, seq] for seq in range(1, 6)] == [
        (Outcome.REFUSED, "not authorised (0x87)")
    ] * 5
    assert world.topics() == ["event/shelf-1"] * 5
    (refused,) = world.publisher.refused()
    assert (refused.topic, refused.reason, refused.times) == (
        "storeroom/v1/s0412/a1/stock/shelf-1",
        "not authorised (0x87)",
        5,
    )


def test_a_quota_passes_and_the_refused_rows_come_later_in_order(world):
    world.broker.refuse("storeroom/v1/s0412/a1/event/", QUOTA_EXCEEDED, times=10)
    for _ in range(30):
        world.event()
        world.run(0.5)
    world.run(30)
    assert_all_there(world)
    assert world.topics("hist/")


def test_state_refused_by_a_quota_is_told_again_as_state(world):
    world.broker.refuse("storeroom/v1/s0412/a1/alarm/", QUOTA_EXCEEDED, times=1)
    world.message(Stream.ALARM, "alarm/door", retain=True)
    world.run(30)
    assert "storeroom/v1/s0412/a1/alarm/door" in world.broker.retained
    assert_all_there(world)


def test_a_refusal_without_a_cause_is_tried_again_and_then_taken_for_good(world):
    poison = world.event()
    world.broker.refuse("storeroom/v1/s0412/a1/", 0x83)
    world.run(300)
    assert world.outbox.outcomes[Stream.EVENT, poison.seq] == (
        Outcome.REFUSED,
        "implementation specific error (0x83)",
    )
    world.broker.allow_all()
    world.event()
    world.run(1)
    assert world.outbox.waiting() == []
    assert list(world.consumer.gaps().values()) == [[(1, 1)]]  # a consumer may ask for it, once the broker is mended


def test_backlog_that_is_too_large_for_the_broker_is_cut_in_halves(world):
    take = world.broker.take
    world.broker.take = lambda outgoing: 0x95 if len(outgoing.payload) > 2000 else take(outgoing)
    world.broker.go_away()
    for _ in range(200):
        world.event()
    world.clock.sleep(100)
    world.broker.come_back()
    world.run(60)
    assert_all_there(world)


def test_a_forgetful_broker_gets_all_retained_state_again(world):
    world.message(Stream.META, "meta", retain=True)
    world.message(Stream.ALARM, "alarm/door", retain=True)
    world.message(Stream.STOCK, "stock/shelf-1", retain=True)
    world.sample()
    world.run()
    before = dict(world.outbox.outcomes)
    world.broker.go_away()
    world.broker.forget()
    world.broker.come_back()
    world.broker.delivered.clear()
    world.run()
    assert world.topics() == ["alarm/door", "stock/shelf-1", "meta", "telemetry/cold-room"]
    assert world.outbox.outcomes == before
    assert_all_there(world)


def test_a_sample_past_its_expiry_is_not_told_again_as_the_present(world):
    world.sample()
    world.run(200)
    world.broker.cut()
    world.broker.delivered.clear()
    world.run()
    assert world.topics() == []


def test_an_estimate_is_told_again_with_what_is_left_of_its_time_and_past_it_never(world):
    sent = []
    take = world.broker.take
    world.broker.take = lambda outgoing: (sent.append(outgoing), take(outgoing))[1]
    world.message(Stream.SHELFLIFE, "shelflife/a", retain=True, expiry_s=10_800)
    world.message(Stream.STOCK, "stock/shelf-1", retain=True)
    world.run()
    for passed_s, told, left_s in ((3600, ["stock/shelf-1", "shelflife/a"], 7200), (7300, ["stock/shelf-1"], None)):
        world.run(passed_s)
        world.broker.go_away()
        world.broker.forget()
        world.broker.come_back()
        world.broker.delivered.clear()
        sent.clear()
        world.run(1)
        assert world.topics() == told
        assert [found.expiry_s for found in sent if "shelflife" in found.topic][:1] == ([left_s] if left_s else [])


# --- topics that end empty --------------------------------------------------------------------------------------------

LIFE = "storeroom/v1/s0412/a1/shelflife/"


def told_of_lot(world, name: str, state: str) -> None:
    body = b'{"state":"%b"}' % state.encode()
    at = world.now()
    world.outbox.commit(Message(Stream.SHELFLIFE, f"shelflife/{name}", body, at, retain=True, expiry_s=10_800))


def lives_told(world) -> list[bytes]:
    """Of lot a, as the broker heard them: the state, or nothing."""
    return [
        item.payload and json.loads(item.payload)["state"]
        for item in world.broker.delivered
        if item.topic == LIFE + "a"
    ]


def test_after_the_last_word_of_a_lot_its_topic_is_emptied_and_no_number_is_missing(world):
    told_of_lot(world, "a", "open")
    told_of_lot(world, "b", "open")
    world.run()
    told_of_lot(world, "a", "closed")
    told_of_lot(world, "b", "open")
    world.run()
    assert lives_told(world) == ["open", "closed", b""]
    assert set(world.broker.retained) & {LIFE + "a", LIFE + "b"} == {LIFE + "b"}
    assert_all_there(world)
    assert world.consumer.gaps() == {}
    assert LIFE + "a" not in world.consumer.state
    assert world.consumer.counts["emptied"] == 1


@pytest.mark.parametrize("away_s", [30.0, 600.0, 4 * 3600.0], ids=["live", "backlog", "past its expiry"])
def test_a_lot_that_ended_while_the_broker_was_away_leaves_nothing_there(world, away_s):
    told_of_lot(world, "a", "open")
    world.run()
    world.broker.go_away()
    told_of_lot(world, "a", "closed")
    world.run(away_s)
    world.broker.come_back()
    world.run(20)
    assert LIFE + "a" not in world.broker.retained
    assert world.outbox.waiting() == []
    assert world.consumer.gaps() == {}


def test_a_link_that_breaks_between_the_last_word_and_the_emptying_leaves_nothing_there(make_world):
    world = make_world(latency_s=0.2)
    told_of_lot(world, "a", "open")
    world.run(1)
    told_of_lot(world, "a", "closed")
    world.run(0.05, until=lambda: world.link.in_flight > 0)
    world.broker.retained[LIFE + "a"] = b"{}"  # the word was taken, the emptying was lost with the link
    world.broker.cut()
    world.run(5)
    assert LIFE + "a" not in world.broker.retained


def test_a_lot_that_was_opened_anew_keeps_its_topic(world):
    world.broker.go_away()
    for state in ("open", "closed", "open"):
        told_of_lot(world, "a", state)
    world.run(5)
    world.broker.come_back()
    world.run(5)
    assert json.loads(world.broker.retained[LIFE + "a"])["seq"] == 3
    world.run(600)
    world.broker.cut()
    world.run(5)
    assert json.loads(world.broker.retained[LIFE + "a"])["seq"] == 3


def test_many_lots_that_end_at_once_stay_within_the_window(make_world):
    world = make_world(latency_s=0.5)
    for n in range(60):
        told_of_lot(world, f"l{n}", "closed")
    world.run(0)
    assert world.link.in_flight == 20  # the simulated link raises on a twenty-first
    world.run(20)
    assert [item.payload == b"" for item in world.broker.delivered if "shelflife" in item.topic] == [False, True] * 60
    assert_all_there(world)


def test_an_outbox_that_fails_loses_no_acknowledgement(world):
    for _ in range(10):
        world.event()
    world.outbox.fail_times = 2
    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            world.run(1)
    world.run(1)
    assert_all_there(world)
    assert world.consumer.duplicates == 0


def test_rows_of_a_new_file_are_never_sent_or_marked_under_the_old_epoch(make_world):
    world = make_world(latency_s=1.0)
    world.event()
    world.run(0)
    world.outbox.set_aside("new0")
    world.event()
    world.run(5)
    assert world.topics() == ["event/shelf-1"]
    assert world.outbox.waiting() == [(Stream.EVENT, 1)]
    world.publisher.leave()
    world.run(5, until=lambda: world.publisher.has_left)
    assert world.publisher.has_left
    assert world.topics() == ["event/shelf-1"]


# --- replay, health, farewell -----------------------------------------------------------------------------------------


def test_reopened_rows_go_out_again_on_hist(world):
    for _ in range(100):
        world.event()
    world.run()
    world.broker.delivered.clear()
    world.outbox.reopen(Stream.EVENT, 11, 30)
    world.publisher.reopen(Stream.EVENT, 30)
    world.run(1)
    assert world.topics() == ["hist/event"]
    body = json.loads(world.broker.delivered[-1].payload)
    assert [record["seq"] for record in body["records"]] == list(range(11, 31))
    assert world.outbox.waiting() == []


def test_rows_in_flight_are_not_sent_a_second_time_by_a_replay(make_world):
    world = make_world(latency_s=5.0)
    for _ in range(10):
        world.event()
    world.run(0)
    world.publisher.reopen(Stream.EVENT, 10)
    world.run(10)
    assert world.consumer.duplicates == 0
    assert_all_there(world)


def test_the_newest_health_is_told_and_an_old_one_is_not(world):
    for uptime in (1, 2, 3):
        body = b'{"uptime_s":%d}' % uptime
        world.publisher.publish_health(Message(Stream.HEALTH, "health", body, world.now(), True, 180), uptime)
    world.run()
    healths = [json.loads(item.payload)["uptime_s"] for item in world.broker.delivered if "health" in item.topic]
    assert healths == [3]
    world.clock.sleep(200)
    world.broker.cut()
    world.broker.delivered.clear()
    world.run()
    assert world.topics() == []


def test_offline_is_the_last_word_after_everything_in_flight(make_world):
    world = make_world(latency_s=0.5)
    for _ in range(10):
        world.event()
    world.run(0)
    world.publisher.leave("stopped")
    world.event()  # too late for this run: kept
    world.run(3, until=lambda: world.publisher.has_left)
    last = json.loads(world.broker.delivered[-1].payload)
    assert (last["state"], last["reason"]) == ("offline", "stopped")
    assert world.outbox.waiting() == [(Stream.EVENT, 11)]


# --- any day at all ---------------------------------------------------------------------------------------------------

DAYS = st.lists(
    st.tuples(
        st.sampled_from(
            ["work", "away", "back", "cut", "freeze", "thaw", "quota", "forget", "shuffle", "slow", "fast"]
        ),
        st.integers(1, 90),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(day=DAYS, seed=st.integers(0, 1000))
def test_whatever_the_broker_does_nothing_is_lost_doubled_or_disordered(make_world, day, seed):
    world = make_world(settings=MqttSettings(backlog_per_s=0, backlog_records=7))
    random = Random(seed)
    broker = world.broker
    acts = {
        "work": lambda: None,
        "away": broker.go_away,
        "back": broker.come_back,
        "cut": broker.cut,
        "freeze": broker.freeze,
        "thaw": broker.thaw,
        "quota": lambda: broker.refuse("storeroom/v1/s0412/a1/event/", QUOTA_EXCEEDED, times=3),
        "forget": broker.forget,
        "shuffle": lambda: setattr(broker, "random", Random(seed)),
        "slow": lambda: setattr(broker, "latency_s", 2.0),
        "fast": lambda: setattr(broker, "latency_s", 0.0),
    }
    for act, seconds in day:
        acts[act]()
        for _ in range(random.randint(0, 8)):
            random.choice([world.event, world.sample, lambda: world.message(Stream.ALARM, "alarm/door", retain=True)])()
            world.run(seconds / 8)
        world.run(seconds)
    broker.thaw()
    broker.come_back()
    world.run(200)
    assert_all_there(world)
    for stream, rows in world.outbox.rows.items():
        assert all(world.outbox.outcomes[stream, row.seq] == (Outcome.ACCEPTED, "") for row in rows)


# --- state that came late, rows that cannot be read ------------------------------------------------------------------


@pytest.mark.parametrize("late_s", [61, 3600])
def test_state_that_was_committed_too_late_to_be_live_is_told_as_state_all_the_same(world, late_s):
    """A card that took nothing for a while: the alarm's row is older than a minute when it gets its number."""
    world.run(1)
    at = world.now()
    world.clock.sleep(late_s)
    world.outbox.commit(Message(Stream.ALARM, "alarm/door", ALARM_BODY, at, retain=True))
    world.outbox.commit(Message(Stream.ALARM, "alarm/window", ALARM_BODY, at, retain=True))
    world.outbox.commit(Message(Stream.ALARM, "alarm/door", ALARM_BODY, world.now(), retain=True))
    world.run(5)
    assert world.topics("alarm/") == ["alarm/window", "alarm/door"]
    assert world.topics("hist/alarm") == ["hist/alarm"], "what is not the present any more"
    assert_all_there(world)


ALARM_BODY = b'{"alarm":"door","state":"unacknowledged"}'


class UnreadableCard:
    """The outbox of a card of which no row can be read; what is in RAM goes on."""

    def __init__(self, outbox) -> None:
        self._outbox, self.is_readable = outbox, False

    def __getattr__(self, name):
        reads = ("pending", "newest_older_than", "latest_retained", "latest_samples", "dropped")
        if name in reads and not self.is_readable:
            raise StorageError("disk I/O error")
        return getattr(self._outbox, name)


def test_on_a_card_that_cannot_be_read_a_new_connection_still_tells_who_and_how_we_are(world):
    world.event()
    world.outbox = card = UnreadableCard(world.outbox)
    world.publisher = world.new_publisher()
    world.publisher.publish_health(Message(Stream.HEALTH, "health", b'{"n":1}', world.now(), True, 180), 1)
    for number in (2, 3):
        with pytest.raises(StorageError):
            world.publisher.step(world.now())
        world.publisher.publish_health(Message(Stream.HEALTH, "health", b"{}", world.now(), True, 180), number)
    told = [item.topic.rpartition("/")[2] for item in world.broker.delivered]
    assert told == ["status", "health", "health"]
    card.is_readable = True
    world.run(1)
    assert world.topics() == ["health", "health", "health", "event/shelf-1"]
    assert len(world.broker.delivered) == 5, "one birth"
