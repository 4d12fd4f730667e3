from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_agent.inference.card import (
    MAX_FILE_BYTES,
    InputSpec,
    ModelCard,
    OutputSpec,
    RecordedCheck,
    fingerprint,
    read_card,
)
from edge_agent.inference.errors import ModelRefused
from edge_agent.inference.model import BATCH, open_model
from edge_agent.inference.runtime import runtime_name

HERE = Path(__file__).parent
TINY = (HERE / "tiny.tflite").read_bytes()
OTHER = (HERE / "other.tflite").read_bytes()
FLOAT_IO = (HERE / "float_io.tflite").read_bytes()
CARD = read_card((HERE / "tiny.json").read_bytes())
MODEL = open_model(TINY, CARD)


def of_file(file: bytes, card: ModelCard = CARD) -> ModelCard:
    """A card that vouches for this very file: what it says of the inside must be found wrong by looking inside."""
    return replace(card, sha256=fingerprint(file), size_bytes=len(file))


def off_by(steps: float) -> ModelCard:
    """A card whose first recorded answer is this many steps of the scale beside the true one."""
    (first, *rest), (one, *others) = CARD.check.outputs[0], CARD.check.outputs[1:]
    outputs = ((first + steps * CARD.output_scale, *rest), one, *others)
    return replace(CARD, check=RecordedCheck(CARD.check.inputs, outputs))


def flipped(file: bytes, at: int) -> bytes:
    return file[:at] + bytes([file[at] ^ 0x55]) + file[at + 1 :]


@pytest.mark.skipif(runtime_name() == "tflite-runtime", reason="it does not look before it reads, and would crash")
def test_half_a_graph_is_refused_even_where_a_card_vouches_for_it() -> None:
    with pytest.raises(ModelRefused, match="no graph that the runtime takes"):
        open_model(TINY[:900], of_file(TINY[:900]))


wide = InputSpec("d", "1", -1.0, 1.0)
beyond = (replace(CARD.inputs[0], high=3.0), *CARD.inputs[1:])


@pytest.mark.parametrize(
    ("file", "card", "says"),
    [
        (TINY[:-8], CARD, "has 1552 bytes, its card says 1560: cut short"),
        (b"", CARD, "has 0 bytes, its card says 1560: cut short"),
        (TINY + b"\0", CARD, "has 1561 bytes, its card says 1560: another file"),
        (b"\0" * (MAX_FILE_BYTES + 1), CARD, "must be at most 65536"),
        (flipped(TINY, 700), CARD, "not the one the card of tiny 1.0 was written for: SHA-256"),
        (OTHER, replace(CARD, size_bytes=len(OTHER)), "not the one the card of tiny 1.0 was written for"),
        (b"\0" * 100, of_file(b"\0" * 100), "no TFLite model"),
        (FLOAT_IO, of_file(FLOAT_IO), "input is float32: must be int8"),
        (OTHER, of_file(OTHER), "output is quantised by scale .* the card says"),
        (TINY, replace(CARD, input_scale=0.0157), "input is quantised by scale 0.0156863 .* the card says 0.0157"),
        (TINY, replace(CARD, output_zero_point=0), "output is quantised by .* zero point -62, the card says .* and 0"),
        (TINY, replace(CARD, inputs=beyond), "input a ranges from -2 to 3, the graph's codes from -1.99"),
        (TINY, off_by(2), "recorded input 0 is answered with p 2.0 steps"),
    ],
)
def test_a_file_that_is_not_what_its_card_says_is_refused(file: bytes, card: ModelCard, says: str) -> None:
    with pytest.raises(ModelRefused, match=says):
        open_model(file, card)


def widened(card: ModelCard, inputs: int, outputs: int) -> ModelCard:
    more_in, more_out = inputs - len(card.inputs), outputs - len(card.outputs)
    check = RecordedCheck(
        tuple((*row, *[0.0] * more_in) for row in card.check.inputs),
        tuple((*row, *[0.0] * more_out) for row in card.check.outputs),
    )
    out = (*card.outputs, *[OutputSpec(f"more{n}", "1") for n in range(more_out)])
    return replace(card, inputs=(*card.inputs, *[wide] * more_in), outputs=out, check=check)


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        (4, 2, r"input has shape \[1, 3\]: the card has 4 inputs"),
        (3, 3, r"output has shape .*: the card has 3 outputs"),
    ],
)
def test_a_card_of_another_shape_is_refused(inputs: int, outputs: int, says: str) -> None:
    with pytest.raises(ModelRefused, match=says):
        open_model(TINY, widened(CARD, inputs, outputs))


@pytest.mark.parametrize("steps", [0, 1, -1])
def test_one_step_of_another_kernel_is_allowed(steps: float) -> None:
    open_model(TINY, off_by(steps))


def test_swapped_files_are_refused_whichever_is_looked_at() -> None:
    card = of_file(OTHER)
    for file, other in ((TINY, card), (OTHER, CARD)):
        with pytest.raises(ModelRefused):
            open_model(file, other)


@pytest.mark.parametrize("rows", [1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 5])
def test_rows_are_answered_each_by_itself_however_many_come(rows: int) -> None:
    inputs = np.random.default_rng(rows).uniform(-2, 2, (rows, 3))
    together = MODEL.predict(inputs)
    one_by_one = np.vstack([MODEL.predict(inputs[n : n + 1]) for n in range(rows)])
    assert together.shape == (rows, 2)
    assert together.dtype == np.float32
    assert (together == one_by_one).all()


def test_no_rows_are_no_answers() -> None:
    assert MODEL.predict(np.empty((0, 3))).shape == (0, 2)


def test_the_recorded_rows_are_answered_as_recorded() -> None:
    found = MODEL.predict(CARD.check.inputs)
    assert np.abs(found - np.array(CARD.check.outputs)).max() <= CARD.output_scale * 1.001


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused_by_the_name_of_its_input(value: float) -> None:
    with pytest.raises(ValueError, match=rf"tiny: input b = {value} in row 1"):
        MODEL.predict([[0, 0, 0], [0, value, 0]])


@pytest.mark.parametrize("rows", [[0.0, 0.0, 0.0], [[0.0, 0.0]], [[[0.0, 0.0, 0.0]]]])
def test_rows_of_another_shape_are_refused(rows: list[float]) -> None:
    with pytest.raises(ValueError, match=r"must be \(rows, 3\)"):
        MODEL.predict(rows)


def test_what_training_never_saw_is_outside() -> None:
    found = MODEL.outside([[0, 0, 0], [2.5, 0, -2.1], [float("nan"), -2, 2]])
    assert found.tolist() == [[False, False, False], [True, False, True], [True, False, False]]


@given(arrays.arrays(np.float64, (5, 3), elements=st.floats(-1e30, 1e30)))
def test_codes_are_the_nearest_and_clipped(rows: np.ndarray) -> None:
    codes = MODEL.quantised(rows)
    back = (codes.astype(float) - CARD.input_zero_point) * CARD.input_scale
    low, high = ((code - CARD.input_zero_point) * CARD.input_scale for code in (-128, 127))
    assert np.abs(back - np.clip(rows, low, high)).max() <= CARD.input_scale / 2 * 1.0001


@given(st.integers(0, len(TINY) - 1), st.sampled_from([lambda f, n: f[:n], flipped]))
def test_any_damage_to_the_file_is_found(at: int, damage: Callable[[bytes, int], bytes]) -> None:
    with pytest.raises(ModelRefused):
        open_model(damage(TINY, at), CARD)
