"""What holds for any course of temperatures: the filter, the gap's bound, the excursion, and the row on the card."""

import json
import math
from dataclasses import asdict, replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.alerts.excursion import Excursion, Limit, Side, Turn, follow
from edge_agent.alerts.place import Lasting
from edge_agent.alerts.seen import Said, Seen
from edge_agent.decide.restore import restored
from edge_agent.domain.instant import ClockState
from edge_agent.domain.thermal import above_at_most_s, followed
from tests.alerts.places import COLD_ROOM, US, Watching, at

TEMPERATURES = st.floats(-30, 40)
STEPS_S = st.sampled_from([0.1, 1.0, 10.0, 60.0, 900.0])


@given(TEMPERATURES, TEMPERATURES, TEMPERATURES, st.floats(1, 7200), st.floats(0.05, 0.95), st.floats(60, 40_000))
def test_the_goods_are_the_same_whether_looked_at_once_or_twice(before_c, air_before_c, air_c, after_s, share, tau_s):
    between_c = air_before_c + share * (air_c - air_before_c)
    halfway_c = followed(before_c, air_before_c, between_c, share * after_s, tau_s)
    twice_c = followed(halfway_c, between_c, air_c, (1 - share) * after_s, tau_s)
    assert twice_c == pytest.approx(followed(before_c, air_before_c, air_c, after_s, tau_s), abs=1e-6)


@given(TEMPERATURES, TEMPERATURES, TEMPERATURES, st.floats(1, 7200), st.floats(60, 40_000))
def test_goods_are_never_warmer_or_colder_than_they_and_the_air_ever_were(
    before_c, air_before_c, air_c, after_s, tau_s
):
    after_c = followed(before_c, air_before_c, air_c, after_s, tau_s)
    known = (before_c, air_before_c, air_c)
    assert min(known) - 1e-6 <= after_c <= max(known) + 1e-6


@given(st.floats(-5, 15), st.floats(-5, 25), st.floats(1, 200_000), st.floats(0, 40_000), st.floats(2, 8))
def test_a_gap_counts_no_more_than_it_lasted_and_more_the_warmer_it_was(before_c, warmest_c, gap_s, tau_s, limit_c):
    counted_s = above_at_most_s(before_c, warmest_c, gap_s, tau_s, limit_c)
    assert 0 <= counted_s <= gap_s
    assert counted_s <= above_at_most_s(before_c, warmest_c + 1, gap_s, tau_s, limit_c)


LIMITS = st.builds(
    Limit,
    value=st.just(5.0),
    side=st.sampled_from(Side),
    dwell_s=st.sampled_from([0.0, 60.0, 1800.0]),
    deadband=st.sampled_from([0.0, 0.5, 2.0]),
    off_delay_s=st.sampled_from([0.0, 60.0, 300.0]),
)
SAMPLES = st.lists(st.tuples(STEPS_S, st.one_of(st.none(), st.floats(0, 10)), st.booleans()), max_size=60)


@given(LIMITS, SAMPLES)
def test_an_excursion_never_chatters(limit, samples):
    state, now_s, turned = Excursion(), 0.0, []
    for after_s, value, is_excused in samples:
        now_s += after_s
        state, turn = follow(state, limit, value, after_s, at(now_s), is_excused=is_excused)
        assert math.isfinite(state.outside_s + state.inside_s + state.waited_s)
        if turn is not None:
            turned.append((now_s, turn))
        if turn is Turn.BEGUN:
            assert value is not None
            assert limit.depth(value) > 0
    assert [turn for _, turn in turned] == [(Turn.BEGUN, Turn.ENDED)[n % 2] for n in range(len(turned))]
    for (before_s, before), (after_s, _) in pairwise(turned):
        least_s = limit.off_delay_s if before is Turn.BEGUN else limit.dwell_s
        assert after_s - before_s >= least_s - 1e-6


EVENTS = st.lists(
    st.tuples(
        STEPS_S,
        st.floats(-10, 30),
        st.one_of(st.none(), st.floats(0, 100)),
        st.sampled_from(["on", "on", "on", "off", "unset"]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.floats(0, 500_000))
@example([(1.0, 4.0, 5e-324, "on")], 0.0)
def test_what_is_kept_survives_the_card_whatever_happened(events, off_s):
    room = Watching(replace(COLD_ROOM, dry_pct=70.0), US)
    now_s, up_s, boot, clock = 0.0, 0.0, 0, ClockState.SYNCED
    for after_s, air_c, humidity_pct, event in events:
        now_s += after_s
        if event != "on":
            now_s += off_s
            boot, up_s = boot + 1, now_s
            clock = ClockState.UNSYNCED if event == "unset" else ClockState.SYNCED
        now = at(now_s, f"boot-{boot}", clock, up_s=up_s)
        if event != "on":
            text = json.dumps(asdict(room.state.kept), allow_nan=False)
            assert restored(Lasting, json.loads(text)) == room.state.kept
            room.restart(now)
        room.see(Seen(now, (Said("air", now, air_c, humidity_pct, raw_c=air_c),)))
        clock_s = room.state.now.warmth.clock.above_s
        assert math.isfinite(clock_s)
        assert clock_s >= 0
    json.dumps(asdict(room.state.kept), allow_nan=False)
