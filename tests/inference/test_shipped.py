"""The models that are shipped: sound, small, and honest about where they come from."""

from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference.card import MAX_FILE_BYTES, read_card, written
from edge_agent.inference.model import open_model
from edge_agent.service.models import shipped_directory

FOLDER = shipped_directory() or Path("nowhere")
NAMES = sorted(file.stem for file in FOLDER.glob("*.tflite"))


def test_there_is_one_for_each_task_and_no_file_without_its_other_half():
    assert sorted(file.stem for file in FOLDER.glob("*.json")) == NAMES
    assert {read_card((FOLDER / f"{name}.json").read_bytes()).task for name in NAMES} == {"demand", "spoilage"}


@pytest.mark.parametrize("name", NAMES)
def test_each_is_what_its_card_says(name):
    text, file = (FOLDER / f"{name}.json").read_bytes(), (FOLDER / f"{name}.tflite").read_bytes()
    card = read_card(text)
    assert written(card) == text
    assert (card.name, len(file) <= MAX_FILE_BYTES) == (name, True)
    assert card.training
    assert all(found.terms and found.rows for found in card.training)
    model = open_model(file, card)
    low, high = ([getattr(spec, end) for spec in card.inputs] for end in ("low", "high"))
    assert not model.outside([low, high]).any()
    assert np.isfinite(model.predict([low, high])).all()
