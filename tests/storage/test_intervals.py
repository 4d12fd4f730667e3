from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.storage.intervals import Intervals

spans = st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))
changes = st.lists(st.tuples(st.booleans(), spans), max_size=40)


def members(intervals: Intervals) -> set[int]:
    return {number for first, last in intervals for number in range(first, last + 1)}


@given(changes, st.integers(0, 70), st.integers(0, 70))
def test_intervals_behave_as_a_set_of_numbers(found: list[tuple[bool, tuple[int, int]]], after: int, upto: int) -> None:
    intervals, model = Intervals(), set[int]()
    for is_added, (first, last) in found:
        (intervals.add if is_added else intervals.remove)(first, last)
        model = model | set(range(first, last + 1)) if is_added else model - set(range(first, last + 1))
        assert members(intervals) == model
        assert intervals.total == len(model)
    kept = list(intervals)
    assert all(before[1] + 1 < then[0] for before, then in pairwise(kept)), "touching ones merge"
    gaps = {number for first, last in intervals.gaps(after, upto) for number in range(first, last + 1)}
    assert gaps == set(range(after + 1, upto + 1)) - model
    within = {number for first, last in intervals.within(after, upto) for number in range(first, last + 1)}
    assert within == set(range(after, upto + 1)) & model
    assert all((number in intervals) == (number in model) for number in range(80))


@given(changes, changes)
def test_the_changed_firsts_are_enough_to_bring_a_copy_up_to_date(
    early: list[tuple[bool, tuple[int, int]]], late: list[tuple[bool, tuple[int, int]]]
) -> None:
    intervals = Intervals()
    for is_added, span in early:
        (intervals.add if is_added else intervals.remove)(*span)
    copy = dict(intervals)
    intervals.changed.clear()
    for is_added, span in late:
        (intervals.add if is_added else intervals.remove)(*span)
    for first in intervals.changed:
        last = intervals.last_of(first)
        if last is None:
            copy.pop(first, None)
        else:
            copy[first] = last
    assert copy == dict(intervals)
