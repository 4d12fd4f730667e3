"""Whatever stands in the file: settings, or faults, and nothing else."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.config import ConfigError, ConfigFault, Settings, check, load

ROOT = Path(__file__).parents[2]
SAMPLES = {
    name: re.sub(r"(?m)^#(?=[a-z\[])", "", (ROOT / "config" / name).read_text("utf-8")).splitlines()
    for name in ("edge-agent.toml", "simulated.toml", "replay-example.toml")
}
LINES = sorted({line for lines in SAMPLES.values() for line in lines if line})
VALUES = [
    "0", "-1", "1e400", "1e308", "nan", "-inf", "true", '""', '"x"', '"\\u0000"', "[]", "[[[]]]", "{}", "[{}]",
    "{a = 1}", "[{sensor = 1}]", "1979-05-27", "00:00:01", "9223372036854775807", "0x7fffffffffffffff",
    '"' + "y" * 300 + '"',
    '["a", 1]', "{name = {name = 1}}", '[{name = "a"}, {name = "a"}]', '"١٢٣٤"', '"..//"', '"28-0316a2794bff"',
    '"sht3x"',
]  # fmt: skip
KEYS = [
    "name",
    "sensor",
    "node",
    "board",
    "shelf.cell",
    "mqtt.tls",
    "a.b.c",
    '"a\\nb"',
    "''",
    "cells",
    "settings",
    "kind",
]


def checked(text: str) -> None:
    result = check(text, "a.toml")
    if isinstance(result, Settings):
        return
    assert result
    lines = text.replace("\r\n", "\n").split("\n")
    for fault in result:
        assert isinstance(fault, ConfigFault)
        assert fault.right
        assert "\x1b" not in str(fault)
        if fault.line is not None and fault.value is not None and re.fullmatch(r"[\w.-]+", fault.value):
            assert fault.value.removesuffix("...") in "\n".join(lines[fault.line - 1 :])


@given(st.text())
@example("\ud7ff")
def test_any_text(text):
    checked(text)


@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
def test_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "a.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.faults


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_sample_with_lines_moved_lost_doubled_and_changed(name, data):
    lines = list(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["lose", "double", "move", "value", "key", "add", "cut", "character"])):
            case "lose":
                lines[at] = ""
            case "double":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "value":
                lines[at] = f"{lines[at].partition(' =')[0]} = {data.draw(st.sampled_from(VALUES))}"
            case "key":
                lines[at] = f"{data.draw(st.sampled_from(KEYS))} = {lines[at].partition('= ')[2]}"
            case "add":
                lines.insert(at, data.draw(st.sampled_from(LINES)))
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, 20))]
            case "character":
                lines[at] += data.draw(st.characters())
    checked("\n".join(lines))


@given(st.sampled_from(sorted(SAMPLES)), st.sampled_from(VALUES), st.data())
def test_a_sample_with_one_value_of_another_kind(name, value, data):
    """Only what is still TOML, so that every one reaches the checks behind the syntax."""
    lines = list(SAMPLES[name])
    keyed = [index for index, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    at = data.draw(st.sampled_from(keyed))
    key = lines[at].partition(" =")[0]
    lines[at] = f"{key} = {value}"
    result = check("\n".join(lines), "a.toml")
    if isinstance(result, list):
        assert all("not TOML" not in fault.right for fault in result)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=8))
def test_tables_of_nonsense(pairs):
    checked("\n".join(f"{key} = {value}" for key, value in pairs))
    for head in ("[node]", "[board]", "[[sensor]]", "[[shelf]]", "[[shelf.cell]]", "[mqtt.tls]", "[[product]]"):
        checked(head + "\n" + "\n".join(f"{key} = {value}" for key, value in dict(pairs).items()))
