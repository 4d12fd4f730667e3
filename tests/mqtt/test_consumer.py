"""The reference consumer: what it has, what it misses, what it asks for."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.mqtt.consumer import ASK_EVERY_S, PATIENCE_S, Consumer, Kind, Source, Spans

BASE = "storeroom/v1/s0412/a1"
EVENTS = Source("s0412", "a1", "k3f9", "event")


def envelope(stream, seq, **more):
    return {"v": 1, "node": "a1", "epoch": "k3f9", "stream": stream, "seq": seq} | more


def take(consumer, seq, *, stream="event", topic="event/s1", retain=False, now_s=0.0, **more):
    payload = json.dumps(envelope(stream, seq, **more)).encode()
    return consumer.take(f"{BASE}/{topic}", payload, retain=retain, now_s=now_s)


def take_hist(consumer, seqs, *, stream="event", dropped=(), now_s=0.0):
    body = envelope(stream, (list(seqs) or [1])[0], historical=True, records=[{"seq": seq} for seq in seqs])
    if dropped:
        body["dropped"] = [{"first": first, "last": last, "reason": "budget"} for first, last in dropped]
    return consumer.take(f"{BASE}/hist/{stream}", json.dumps(body).encode(), now_s=now_s)


@given(numbers=st.lists(st.integers(1, 60)), spans=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9))))
def test_spans_are_a_set_of_numbers(numbers, spans):
    kept, truth = Spans(), set()
    for number in numbers:
        assert kept.add(number) is (number not in truth)
        truth.add(number)
    for first, length in spans:
        kept.add_span(first, first + length)
        truth |= set(range(first, first + length + 1))
    assert {n for first, last in kept for n in range(first, last + 1)} == truth
    assert all(n in kept for n in truth)
    missing = {n for first, last in kept.missing(1, 80) for n in range(first, last + 1)}
    assert missing == set(range(1, 81)) - truth
    pairs = list(kept)
    assert all(b[0] > a[1] + 1 for a, b in pairwise(pairs))
    assert kept.highest == max(truth, default=0)


@given(
    data=st.data(),
    last=st.integers(1, 40),
)
def test_any_delivery_of_a_stream_is_taken_once_and_its_gaps_are_exactly_what_did_not_come(data, last):
    consumer = Consumer(from_start=True)
    arriving = data.draw(st.lists(st.tuples(st.booleans(), st.integers(1, last)), max_size=80))
    new = set()
    for is_live, seq in arriving:
        taken = take(consumer, seq) if is_live else take_hist(consumer, [seq])
        assert (taken.kind is Kind.NEW) is (seq not in new)
        new.add(seq)
    assert consumer.records == len(new)
    assert consumer.duplicates == len(arriving) - len(new)
    missing = {n for spans in consumer.gaps().values() for a, b in spans for n in range(a, b + 1)}
    assert missing == set(range(1, max(new, default=0) + 1)) - new


def test_a_message_is_new_once_whichever_way_it_comes():
    consumer = Consumer(from_start=True)
    assert take(consumer, 1).kind is Kind.NEW
    assert take(consumer, 1).kind is Kind.DUPLICATE
    taken = take_hist(consumer, [1, 2, 3])
    assert [record["seq"] for record in taken.records] == [2, 3]
    assert (consumer.records, consumer.duplicates) == (3, 2)


def test_another_epoch_is_another_sequence():
    consumer = Consumer(from_start=True)
    take(consumer, 1)
    assert take(consumer, 1, epoch="new0").kind is Kind.NEW
    assert consumer.gaps() == {}


def test_order_counts_on_live_and_on_hist_apart():
    consumer = Consumer(from_start=True)
    for seq in (5, 6, 7):
        take(consumer, seq)
    take_hist(consumer, [1, 2, 3, 4])
    assert not consumer.inversions
    take(consumer, 10)
    take(consumer, 9)
    take_hist(consumer, [12, 11])
    assert consumer.inversions == {("live", "event"): 1, ("hist", "event"): 1}


def test_a_newcomer_is_not_responsible_for_what_was_before():
    consumer = Consumer()
    take(consumer, 3, stream="stock", topic="stock/s1", retain=True)
    take(consumer, 90, stream="stock", topic="stock/s2", retain=True)
    assert consumer.gaps() == {}
    take(consumer, 93, stream="stock", topic="stock/s1")
    take(consumer, 95, stream="stock", topic="stock/s2")
    assert list(consumer.gaps().values()) == [[(94, 94)]]


def test_dropped_numbers_are_not_missed():
    consumer = Consumer(from_start=True)
    take(consumer, 10)
    take_hist(consumer, [], dropped=[(1, 4), (8, 9)])
    assert consumer.gaps() == {EVENTS: [(5, 7)]}
    assert consumer.dropped() == 6


def test_a_gap_is_asked_for_when_it_stays_and_not_too_often():
    consumer = Consumer(from_start=True)
    take(consumer, 5, now_s=0)
    assert consumer.asks(0) == []
    assert consumer.asks(PATIENCE_S - 1) == []
    (ask,) = consumer.asks(PATIENCE_S)
    assert ask.topic == f"{BASE}/cmd/replay"
    assert json.loads(ask.payload("c1")) == {"cmd_id": "c1", "stream": "event", "from_seq": 1, "to_seq": 4}
    assert consumer.asks(PATIENCE_S + ASK_EVERY_S - 1) == []
    assert len(consumer.asks(PATIENCE_S + ASK_EVERY_S)) == 1
    take_hist(consumer, [1, 2, 3, 4])
    assert consumer.asks(1000) == []
    assert not consumer.inversions


def test_nothing_is_asked_for_while_backlog_comes_in():
    consumer = Consumer(from_start=True)
    take(consumer, 500, now_s=0)
    for second in range(100):
        take_hist(consumer, [second + 1], now_s=second)
        assert consumer.asks(second) == []
    assert len(consumer.asks(99 + PATIENCE_S)) == 1


def test_a_long_gap_is_asked_for_in_parts():
    consumer = Consumer(from_start=True, patience_s=0)
    take(consumer, 5000)
    (ask,) = consumer.asks(1)
    assert (ask.first, ask.last) == (1, 1000)


def test_the_last_state_of_each_topic_is_kept_and_history_never_overwrites_it():
    consumer = Consumer(from_start=True)
    take(consumer, 1, stream="stock", topic="stock/s1", net_g=5)
    take(consumer, 4, stream="stock", topic="stock/s1", net_g=7)
    take_hist(consumer, [2, 3], stream="stock")
    take(consumer, 3, stream="stock", topic="stock/s1", net_g=6)
    take(consumer, 1)
    assert {topic: body["net_g"] for topic, body in consumer.state.items()} == {f"{BASE}/stock/s1": 7}


def test_what_is_missing_of_a_file_that_the_node_has_not_open_is_not_asked_for():
    """While its card takes no writes a node tells from RAM, under another epoch; the numbers are others there."""
    consumer = Consumer()
    for seq in (1, 3):
        take(consumer, seq)
    take(consumer, 1, epoch="ram1")
    assert consumer.gaps() == {EVENTS: [(2, 2)]}
    assert [consumer.asks(now_s) for now_s in (0, PATIENCE_S, 2 * PATIENCE_S)] == [[], [], []]
    take(consumer, 4, now_s=70)
    assert consumer.asks(70) == []
    assert [ask.first for ask in consumer.asks(70 + PATIENCE_S)] == [2], "back on its card it can be asked again"


def alarm(name="storage", state="unacknowledged"):
    return {"alarm": name, "priority": "high", "state": state, "message": "The card takes no data"}


def standing(consumer):
    return {(base, found["alarm"], found["state"]) for base, found in consumer.alarms()}


def test_health_tells_of_an_alarm_whose_own_message_never_came():
    consumer = Consumer()
    take(consumer, 1, stream="health", topic="health", alarms=[alarm(), alarm("sensor-air")])
    assert standing(consumer) == {(BASE, "storage", "unacknowledged"), (BASE, "sensor-air", "unacknowledged")}
    take(consumer, 2, stream="health", topic="health", alarms=[alarm("sensor-air")])
    assert standing(consumer) == {(BASE, "sensor-air", "unacknowledged")}


def test_of_health_and_an_alarms_own_message_the_later_word_counts():
    consumer = Consumer()
    take(consumer, 1, stream="alarm", topic="alarm/storage", **alarm())
    assert standing(consumer) == {(BASE, "storage", "unacknowledged")}
    take(consumer, 1, stream="health", topic="health", alarms=[])
    assert standing(consumer) == set()
    take(consumer, 2, stream="alarm", topic="alarm/storage", **alarm(state="acknowledged"))
    assert standing(consumer) == {(BASE, "storage", "acknowledged")}
    take(consumer, 3, stream="alarm", topic="alarm/storage", **alarm(state="normal"))
    assert standing(consumer) == set()


@pytest.mark.parametrize("is_health_first", [True, False])
def test_what_the_broker_kept_of_an_alarm_is_older_than_what_health_says(is_health_first):
    """The card turned read-only since: the alarm's end, or its rise, was told by health alone."""
    consumer = Consumer()
    words = [
        lambda: take(consumer, 9, stream="health", topic="health", retain=True, alarms=[alarm("storage")]),
        lambda: take(consumer, 4, stream="alarm", topic="alarm/storage", retain=True, **alarm(state="normal")),
        lambda: take(consumer, 5, stream="alarm", topic="alarm/door", retain=True, **alarm("door")),
    ]
    for say in words if is_health_first else reversed(words):
        say()
    assert standing(consumer) == {(BASE, "storage", "unacknowledged")}


def test_a_node_whose_health_lists_no_alarms_is_believed_by_its_alarm_topics():
    consumer = Consumer()
    take(consumer, 1, stream="health", topic="health")
    take(consumer, 5, stream="alarm", topic="alarm/door", retain=True, **alarm("door"))
    assert standing(consumer) == {(BASE, "door", "unacknowledged")}


@pytest.mark.parametrize("alarms", [None, {}, 7, ["storage"], [{"alarm": 1, "state": "x"}], [{"alarm": "x"}]])
def test_alarms_that_are_none_make_a_health_garbage(alarms):
    assert take(Consumer(), 1, stream="health", topic="health", alarms=alarms).kind is Kind.GARBAGE


def test_health_and_status_have_no_gaps():
    consumer = Consumer(from_start=True)
    for seq in (4, 900, 2):
        assert take(consumer, seq, stream="health", topic="health").kind is Kind.VOLATILE
    assert consumer.gaps() == {}


def test_the_will_of_an_earlier_session_does_not_make_the_node_offline():
    consumer = Consumer()
    status = f"{BASE}/status"
    take(consumer, 1, stream="status", topic="status", state="online", boot="b", session=4)
    take(consumer, 0, stream="status", topic="status", state="offline", boot="b", session=3, reason="lost")
    assert consumer.state[status]["state"] == "online"
    take(consumer, 0, stream="status", topic="status", state="offline", boot="b", session=4, reason="lost")
    assert consumer.state[status]["state"] == "offline"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[1]",
        b"{}",
        b"[" * 100_000,
        json.dumps(envelope("event", 1) | {"v": 2}).encode(),
        json.dumps(envelope("event", 1) | {"node": "b2"}).encode(),
        json.dumps(envelope("event", 1) | {"epoch": 5}).encode(),
        json.dumps(envelope("nonsense", 1)).encode(),
        json.dumps(envelope([], 1)).encode(),
        json.dumps(envelope("event", 0)).encode(),
        json.dumps(envelope("event", -5)).encode(),
        json.dumps(envelope("event", True)).encode(),
        json.dumps(envelope("event", 1.5)).encode(),
    ],
)
def test_garbage_is_counted_and_changes_nothing(body):
    consumer = Consumer(from_start=True)
    assert consumer.take(f"{BASE}/event/s1", body).kind is Kind.GARBAGE
    assert (consumer.records, consumer.state, consumer.gaps()) == (0, {}, {})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"historical": True},
        {"historical": True, "records": 5},
        {"historical": True, "records": [5]},
        {"historical": True, "records": [{}]},
        {"historical": True, "records": [], "dropped": [{"first": 5, "last": 4}]},
        {"historical": True, "records": [], "dropped": [{"first": 5}]},
        {"historical": True, "records": [], "dropped": 5},
    ],
)
def test_garbled_backlog_is_counted_and_changes_nothing(more):
    consumer = Consumer(from_start=True)
    payload = json.dumps(envelope("event", 1) | more).encode()
    assert consumer.take(f"{BASE}/hist/event", payload).kind is Kind.GARBAGE
    assert consumer.gaps() == {}


@given(topic=st.text(max_size=40) | st.just(f"{BASE}/event/s"), payload=st.binary(max_size=100))
def test_nothing_raises(topic, payload):
    Consumer().take(topic, payload)


def test_commands_on_the_same_tree_are_not_messages_of_the_node():
    assert Consumer().take(f"{BASE}/cmd/tare", b'{"cmd_id":"1"}').kind is Kind.FOREIGN
