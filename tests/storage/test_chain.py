"""Whatever is done to a chain of lines is found, and the line is named."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.storage import chain
from edge_agent.storage.chain import GENESIS, Head, Row, Walk, sealed

COUNT = st.integers(4, 30)


def written(count: int, first: int = 1, prev: str = GENESIS) -> list[Row]:
    rows = []
    for number in range(first, first + count):
        place = ("", "cold-room", "freezer")[number % 3]
        body = {
            "kind": "interval",
            "place": place,
            "at": f"2026-11-{number:02d}T00:00:00.000Z",
            "air_c": [1.5, 2, number],
        }
        line = sealed(json.dumps(body).encode(), number, prev)
        rows.append(Row(number, f"record/{place or 'node'}", line))
        prev = chain.hash_of(line)
    return rows


def faults(
    rows: list[Row], *, damaged: bool = False, pruned: dict[int, str] | None = None, given: int = 0
) -> list[tuple]:
    walk = Walk("agent.db", is_damaged=damaged)
    list(walk.lines(rows))
    walk.close([], pruned or {}, given)
    return [(fault.what, fault.number) for fault in walk.faults]


def changed(row: Row, *, is_sealed: bool) -> Row:
    """Another value; by a forger who knows how the hash is made, also its hash."""
    content = json.loads(row.body)
    stated = content.pop("hash")
    content["air_c"] = [1.5, 2, 1.9]
    text = chain._canonical(content)
    if is_sealed:
        stated = hashlib.sha256(text).hexdigest()
    return Row(row.number, row.topic, text[:-1] + b',"hash":"%b"}' % stated.encode())


def renumbered(rows: list[Row], by: int) -> list[Row]:
    return [Row(row.number + by, row.topic, row.body) for row in rows]


def test_a_line_is_its_canonical_form_with_the_hash_at_its_end():
    line = sealed(b'{"place":"cold-room","kind":"gap","s":0.5}', 7, "ab")
    content = json.loads(line)
    stated = content.pop("hash")
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    assert content == {"kind": "gap", "line": 7, "place": "cold-room", "prev": "ab", "s": 0.5}
    assert stated == hashlib.sha256(canonical).hexdigest() == chain.hash_of(line)


def test_a_line_of_another_file_keeps_its_first_place_for_ever():
    once = sealed(b'{"kind":"gap"}', 7, "ab")
    twice = json.loads(sealed(sealed(once, 1, GENESIS), 3, "cd"))
    assert twice["carried"] == {"line": 7, "hash": chain.hash_of(once)}
    assert (twice["line"], twice["prev"]) == (3, "cd")


@given(COUNT)
def test_an_untouched_chain_has_no_fault(count):
    assert faults(written(count)) == []


@given(COUNT, st.data(), st.booleans())
def test_a_changed_line_is_named(count, data, is_sealed):
    """But for the last one with a new hash: of that only who holds a copy can tell, see `heads`."""
    rows = written(count)
    n = data.draw(st.integers(1, count - 1 if is_sealed else count))
    rows[n - 1] = changed(rows[n - 1], is_sealed=is_sealed)
    assert faults(rows) == [("changed", n)]


@given(COUNT, st.data(), st.booleans())
def test_removed_lines_are_named(count, data, is_closed_up):
    rows = written(count)
    n = data.draw(st.integers(1, count - 1))
    upto = data.draw(st.integers(n, count - 1))
    rest = rows[upto:]
    assert faults(rows[: n - 1] + (renumbered(rest, n - 1 - upto) if is_closed_up else rest)) == [("removed", n)]


@given(COUNT, st.data())
def test_lines_removed_at_the_end_are_named_by_who_knows_of_them(count, data):
    rows = written(count)
    n = data.draw(st.integers(2, count))
    assert faults(rows[: n - 1], given=count) == [("removed", n)]


@given(COUNT, st.data(), st.sampled_from(["copy", "unsealed", "forged"]))
def test_an_inserted_row_is_named(count, data, how):
    rows = written(count)
    n = data.draw(st.integers(2, count))  # it takes the place of this row, and all after it move on
    if how == "copy":
        row = data.draw(st.sampled_from(rows[: n - 1]))
    elif how == "unsealed":
        row = Row(n, rows[0].topic, b'{"kind":"interval","place":"cold-room","air_c":[1,1,1]}')
    else:
        row = changed(rows[n - 1], is_sealed=True)
    inserted = [*rows[: n - 1], Row(n, row.topic, row.body), *renumbered(rows[n - 1 :], 1)]
    if how == "forged" and n == count:  # nothing after it says which of the two is the true one
        assert [what for what, _ in faults(inserted)] == ["inserted"]
    else:
        assert faults(inserted) == [("inserted", n)]


@given(COUNT, st.data())
def test_two_lines_that_changed_places_are_found(count, data):
    rows = written(count)
    n = data.draw(st.integers(1, count - 1))
    first, second = rows[n - 1], rows[n]
    rows[n - 1], rows[n] = Row(n, second.topic, second.body), Row(n + 1, first.topic, first.body)
    assert faults(rows) != []


@given(COUNT, st.data())
def test_a_line_that_was_moved_to_another_place_of_the_store_is_changed(count, data):
    rows = written(count)
    n = data.draw(st.integers(1, count))
    rows[n - 1] = Row(n, "record/elsewhere", rows[n - 1].body)
    assert faults(rows) == [("changed", n)]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff" * 100, b"[1]", b"null", b'{"line":"x","prev":1}', b"[" * 5000])
def test_a_row_that_holds_anything_else_is_a_changed_line(body):
    rows = written(5)
    rows[2] = Row(3, rows[2].topic, body)
    assert faults(rows) == [("changed", 3)]


def test_a_pruned_chain_is_sound_if_its_own_word_says_so():
    rows = written(10)
    known = {4: chain.hash_of(rows[3].body)}
    assert faults(rows[4:], pruned=known) == []
    assert faults(rows[4:]) == [("removed", 1)]
    assert faults(rows[6:], pruned=known) == [("removed", 5)]
    assert faults(rows[4:], pruned={4: GENESIS}) == [("changed", 5)]


def test_of_a_damaged_file_missing_lines_cannot_be_read():
    rows = written(10)
    assert faults(rows[:3] + rows[5:], damaged=True) == [("unreadable", 4)]


def test_a_chain_written_anew_from_some_line_on_differs_from_what_others_know():
    rows, anew = written(10), written(5) + written(5, 6, "ab" * 32)
    head = Head("k3f9", 8, chain.hash_of(rows[7].body))
    lines = [chain.read(row) for row in rows]
    assert [chain.disagreement("f", line, [("x", head)]) for line in lines] == [None] * 10
    fault = chain.disagreement("f", chain.read(anew[7]), [("the settings file", head)])
    assert fault is not None
    assert (fault.number, fault.what) == (8, "changed")


def test_nothing_is_a_sound_chain():
    assert faults([]) == []
