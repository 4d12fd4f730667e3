import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.inference.card import MAX_CARD_BYTES, ModelCard, read_card, version_key, written
from edge_agent.inference.errors import CardFault, ModelRefused

TEXT = (Path(__file__).parent / "tiny.json").read_bytes()
CARD = read_card(TEXT)


def changed(**keys: object) -> bytes:
    return json.dumps({**json.loads(TEXT), **keys}).encode()


def without(key: str) -> bytes:
    return json.dumps({name: value for name, value in json.loads(TEXT).items() if name != key}).encode()


def test_a_card_is_read_as_it_was_written() -> None:
    assert written(CARD) == TEXT
    full = replace(CARD, metrics={"wql": 0.31, "cov80": 0.8}, notes='says "µ"', training=CARD.training * 2)
    assert read_card(written(full)) == full


def test_a_card_without_metrics_or_training_is_one_too() -> None:
    bare = replace(CARD, metrics={}, training=())
    assert read_card(written(bare)) == bare


@pytest.mark.parametrize("key", json.loads(TEXT))
def test_each_key_must_be_there(key: str) -> None:
    with pytest.raises(CardFault, match=f"card: {key} is missing"):
        read_card(without(key))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 30_000, "is not JSON"),
        (b'{"form": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[]", "must be an object"),
        (b" " * (MAX_CARD_BYTES + 1), "at most"),
        (changed(form=2), "form = 2: must be 1"),
        (changed(form=True), "form = True: must be a whole number"),
        (changed(name="Tiny"), "name = 'Tiny'"),
        (changed(name="../etc"), "name = '../etc'"),
        (changed(version="v1"), "version = 'v1'"),
        (changed(version="1.2.3.4"), "version = '1.2.3.4'"),
        (changed(task="weather"), "task = 'weather': must be one of demand, spoilage"),
        (changed(sha256="abc"), "sha256 = 'abc'"),
        (changed(made_at="yesterday"), "made_at = 'yesterday'"),
        (changed(made_at="2026-03-01T00:00:00"), "offset from UTC"),
        (changed(size_bytes=0), "size_bytes = 0"),
        (changed(size_bytes=10.5), "size_bytes = 10.5: must be a whole number"),
        (changed(input_scale=0), "input_scale = 0"),
        (changed(input_scale=float("nan")), "input_scale = nan: must be a finite number"),
        (changed(output_scale=10**400), "output_scale = 1000.*: must be a finite number"),
        (changed(input_zero_point=200), "input_zero_point = 200: must be between -128 and 127"),
        (changed(inputs=[]), "inputs = .*1 to 256 different names"),
        (changed(inputs=json.loads(TEXT)["inputs"][:1] * 2), "different names"),
        (changed(inputs=[{"name": "a", "unit": "1", "low": 2, "high": 1}]), "inputs.a = .*low < high"),
        (changed(inputs=[{"name": "a", "unit": "1", "low": 2}]), r"inputs\[0\].high is missing"),
        (changed(inputs=["a"]), r"inputs\[0\] = 'a': must be an object"),
        (changed(outputs="p"), "outputs = 'p': must be a list"),
        (changed(metrics={"wql": "good"}), "metrics.wql = 'good': must be a number"),
        (changed(metrics=[1]), "metrics = .*an object of numbers"),
        (changed(check={"inputs": [], "outputs": []}), "1 to 64 rows"),
        (changed(check={"inputs": [[1, 2, 3]], "outputs": []}), "as many inputs as outputs"),
        (changed(check={"inputs": [[1, 2]], "outputs": [[1, 2]]}), r"check.inputs\[0\] = .*3 finite numbers"),
        (changed(check={"inputs": [7], "outputs": [[1, 2]]}), r"check.inputs\[0\] = 7: must be a list of numbers"),
        (changed(colour="red"), "colour: is no key of a card"),
    ],
)
def test_a_fault_is_named_with_its_value_and_what_would_be_right(text: bytes, says: str) -> None:
    with pytest.raises(CardFault, match=says):
        read_card(text)


def test_a_card_that_is_made_wrong_is_refused_before_it_is_written() -> None:
    with pytest.raises(CardFault, match="name"):
        replace(CARD, name="")


def test_who_catches_a_refused_model_catches_a_faulty_card() -> None:
    assert issubclass(CardFault, ModelRefused)


versions = st.lists(st.integers(0, 999_999), min_size=1, max_size=3)


@given(versions, versions)
def test_versions_are_ordered_as_numbers(one: list[int], other: list[int]) -> None:
    def key(version: list[int]) -> tuple[int, ...]:
        return version_key(".".join(map(str, version)))

    filled_one, filled_other = ([*found, 0, 0][:3] for found in (one, other))
    assert (key(one) < key(other)) == (filled_one < filled_other)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(text: bytes) -> None:
    try:
        found = read_card(text)
    except CardFault:
        return
    assert isinstance(found, ModelCard)
