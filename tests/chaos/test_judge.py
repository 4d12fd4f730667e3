"""A judge that cannot condemn is no judge: every fault it is there for, planted once."""

from collections import Counter

import pytest
from chaos_parts.judge import Arrival, Identity, Told, judge, told
from hypothesis import given
from hypothesis import strategies as st


def row(seq: int, *, stream: str = "event", content: bytes = b"a", ts: str = "t", clock: str = "synced") -> tuple:
    return Identity("k3f9", stream, seq), Told(content, ts, clock)


def arrive(*rows: tuple, way: str = "live", stored: bool = False) -> list[Arrival]:
    return [Arrival(float(n), way, identity, what, stored) for n, (identity, what) in enumerate(rows)]


def passed(arrivals: list[Arrival]) -> Counter:
    """What a consumer without a fault passes on."""
    return Counter({arrival.identity: 1 for arrival in arrivals})


ROWS = [row(1), row(2), row(3)]
COMMITTED = dict(ROWS)


def verdict(arrivals, passed_on=None, committed=COMMITTED, asked=frozenset()):
    return judge(committed, arrivals, passed(arrivals) if passed_on is None else passed_on, asked)


def test_all_that_was_committed_and_came_in_order_is_no_fault():
    found = verdict(arrive(*ROWS))
    assert (found.accepted, found.raw_duplicates, found.residual_duplicates) == (3, 0, 0)
    assert (found.lost, found.altered, found.phantoms, found.gaps) == ([], [], [], [])
    assert found.inversions == {"live": 0, "hist": 0}


def test_a_committed_row_that_never_came_is_lost_and_leaves_a_gap():
    found = verdict(arrive(row(1), row(3)))
    assert found.lost == found.gaps == [Identity("k3f9", "event", 2)]


def test_a_lost_last_row_is_lost_without_a_gap():
    found = verdict(arrive(row(1), row(2)))
    assert (found.lost, found.gaps) == ([Identity("k3f9", "event", 3)], [])


@pytest.mark.parametrize(
    ("what", "is_altered"),
    [
        ({"content": b"b"}, True),
        ({"ts": "later"}, True),
        ({"ts": "later", "clock": "corrected"}, False),
        ({"ts": "later", "clock": "unsynced"}, True),
    ],
)
def test_another_content_is_altered_and_a_corrected_clock_is_not(what, is_altered):
    found = verdict(arrive(row(1), row(2, **what), row(3)))
    assert bool(found.altered) is is_altered


def test_two_contents_under_one_identity_are_altered_whichever_came_first():
    assert verdict(arrive(*ROWS, row(2, content=b"b"))).altered
    assert verdict(arrive(row(1), row(2, content=b"b"), row(2), row(3))).altered


def test_what_was_never_committed_is_a_phantom():
    assert verdict(arrive(*ROWS, row(4))).phantoms == [Identity("k3f9", "event", 4)]


def test_a_second_arrival_is_a_raw_duplicate_and_only_passed_on_twice_a_residual_one():
    arrivals = arrive(*ROWS, row(1))
    assert (verdict(arrivals).raw_duplicates, verdict(arrivals).residual_duplicates) == (1, 0)
    assert verdict(arrivals, Counter([a.identity for a in arrivals])).residual_duplicates == 1


def test_a_first_arrival_after_a_higher_number_is_an_inversion_of_its_way_and_stream():
    assert verdict(arrive(row(1), row(3), row(2))).inversions == {"live": 1, "hist": 0}
    assert verdict(arrive(row(1), row(3), row(2), way="hist")).inversions == {"live": 0, "hist": 1}
    assert verdict([*arrive(row(3)), *arrive(row(1), row(2), way="hist")]).inversions == {"live": 0, "hist": 0}
    other = row(1, stream="alarm")
    assert verdict(arrive(*ROWS, other), committed=COMMITTED | dict([other])).inversions == {"live": 0, "hist": 0}


def test_neither_a_duplicate_nor_a_stored_or_asked_row_is_an_inversion():
    assert verdict(arrive(*ROWS, row(1))).inversions["live"] == 0
    assert verdict([*arrive(row(1), row(3)), *arrive(row(2), stored=True)]).inversions["live"] == 0
    asked = frozenset({Identity("k3f9", "event", 2)})
    assert verdict(arrive(row(1), row(3), row(2)), asked=asked).inversions["live"] == 0


@given(st.permutations(range(1, 12)), st.sets(st.integers(1, 11)))
def test_whatever_the_order_every_row_that_is_missing_is_found_and_nothing_else(order, missing):
    rows = {n: row(n) for n in range(1, 12)}
    came = [n for n in order if n not in missing]
    arrivals = arrive(*(rows[n] for n in came))
    found = verdict(arrivals, committed=dict(rows.values()))
    assert {identity.seq for identity in found.lost} == missing
    assert (found.inversions["live"] == 0) == (came == sorted(came))


def test_a_live_message_and_a_record_of_backlog_say_the_same_row():
    own = {"seq": 7, "ts": "t", "clock": "synced", "mono_ms": 5, "shelf": "shelf-1", "net_g": 1.5}
    assert told(own | {"v": 1, "node": "n1", "epoch": "k3f9", "stream": "event"}) == told(own)
    assert told(own) != told(own | {"net_g": 1.6})
    assert told(own) != told(own | {"mono_ms": 6})
