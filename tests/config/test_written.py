"""Lines that tomllib forgets: right whenever they are given."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.faults import look_up
from edge_agent.config.written import written

TRICKY = (
    '''\
# a = 1
"quoted.key" = "x" # b = 2
a . 'b' = """
c = 3
[not.a.table]
\\""" still ""\\
"""""
d = [
  1, # e = 4
  [2, {f = 'g = 5', "h" = [{i = 1}, {i = 2}]}],
]
at = 1979-05-27 07:32:00Z
[t] # [u]
k = '''
    + """'''
v = 1''''
[[many]]
x = 1
[[many.inner]]
y = 1
[[many.inner]]
y = 2
[many.one]
z = {}
[[many]]
[many.one]
z = 3
[[many.inner]]
y = 4
"""
)


def test_tricky_texts():
    lines = {path: place.line for path, place in written(TRICKY).items()}
    assert {path: lines[path] for path in lines if path[0] in ("quoted.key", "a", "d", "at")} == {
        ("quoted.key",): 2,
        ("a",): 3,
        ("a", "b"): 3,
        ("d",): 8,
        ("d", 0): 9,
        ("d", 1): 10,
        ("d", 1, 0): 10,
        ("d", 1, 1): 10,
        ("d", 1, 1, "f"): 10,
        ("d", 1, 1, "h"): 10,
        ("d", 1, 1, "h", 0): 10,
        ("d", 1, 1, "h", 0, "i"): 10,
        ("d", 1, 1, "h", 1): 10,
        ("d", 1, 1, "h", 1, "i"): 10,
        ("at",): 12,
    }
    assert lines["t", "k"] == 14
    assert lines["many", 0, "x"] == 17
    assert lines["many", 0, "inner", 1, "y"] == 21
    assert lines["many", 0, "one", "z"] == 23
    assert lines["many", 1] == 24
    assert lines["many", 1, "one", "z"] == 26
    assert lines["many", 1, "inner", 0, "y"] == 28


def test_the_text_of_a_value_is_kept_as_written():
    places = written('a = 0x44 # hex\nb = [1,\n 2]\nc = {d = "x"}\n')
    assert {path: place.text for path, place in places.items()} == {
        ("a",): "0x44",
        ("b",): "[1,\n 2]",
        ("b", 0): "1",
        ("b", 1): "2",
        ("c",): '{d = "x"}',
        ("c", "d"): '"x"',
    }


keys = st.one_of(st.sampled_from(["a", "b", "c-d", "e_1"]), st.text(max_size=3))
scalars = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)
comments = st.sampled_from(["", " # [x]", " # a = 1", "\n", "\n\n# \"'\n"])


def toml_text(text: str) -> str:
    return '"' + "".join(f"\\U{ord(letter):08x}" if not letter.isalnum() else letter for letter in text) + '"'


def toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return toml_text(value)
        case list():
            return "[" + "".join(f"\n  {toml(each)}, # ]" for each in value) + "\n]"
        case dict():
            return "{" + ", ".join(f"{toml_text(key)} = {toml(each)}" for key, each in value.items()) + "}"
        case _:
            return repr(value)


@given(st.data())
def test_every_line_given_is_the_line_of_its_key(data):
    lines: list[str] = []
    expected: dict[tuple[str | int, ...], int] = {}
    tables = data.draw(st.lists(st.tuples(keys, st.dictionaries(keys, st.tuples(values, comments))), max_size=4))
    counts: dict[str, int] = {}
    for name, table in tables:
        index = counts[name] = counts.get(name, -1) + 1
        expected[name, index] = "\n".join(lines).count("\n") + bool(lines) + 1
        lines.append(f"[[ {toml_text(name)} ]]")
        for key, (value, comment) in table.items():
            expected[name, index, key] = "\n".join(lines).count("\n") + 2
            lines.append(f"{toml_text(key)} = {toml(value)}{comment}")
    text = "\n".join(lines)
    document = tomllib.loads(text)
    places = written(text)
    assert {path: places[path].line for path in expected} == expected
    assert all(look_up(document, path) is not None for path in places)


@pytest.mark.parametrize("text", ["a = ", "a = [1", "[a", '"', "a = {b", "= = =", "[[", "a.\n", "a = [}]", 'a = """'])
def test_a_text_that_is_not_toml_gives_what_was_understood_and_ends(text):
    assert all(place.line == 1 for place in written(text).values())
