"""Power cuts: the process dies before each line that writes, one after the other; real files, real death."""

import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from model_files import CARD, FILE, NOW, SETTINGS, bundle, ship, version

from edge_agent.decide.models import Action, ChangeModel
from edge_agent.domain.command import Command, ResultCode
from edge_agent.service import model_store
from edge_agent.service.model_store import ModelStore, Slot
from edge_agent.service.models import Models

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the child does nothing but die
MOST = 200  # lines: none of the changes takes more
_WRITING = ("put_shadow", "put_active", "promote", "roll_back", "drop", "note", "_write", "_make", "_sync")


def dies_at(number: int, change: Callable[[], object]) -> bool:
    """The change in a process of its own, which is killed before the ``number``-th line of the store that writes; True
    when it came to its end before."""
    child = os.fork()
    if child == 0:
        left = number

        def look(frame, event, argument):
            nonlocal left
            if frame.f_code.co_filename != model_store.__file__ or frame.f_code.co_name not in _WRITING:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), 9)
            return look

        try:
            sys.settrace(look)
            change()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


@pytest.fixture
def cuts(tmp_path):
    """``cuts(before, step)``: the models after a power cut at each line of a step, and at last after none."""
    ship(tmp_path / "shipped", version("1.0"))

    def models(folder) -> Models:
        return Models(SETTINGS, ModelStore(folder), tmp_path / "shipped")

    def deaths(before, step) -> Iterator[Models]:
        prepared = models(tmp_path / "prepared")
        for action, words in before:
            assert asked(prepared, action, **words).code is ResultCode.DONE
        (tmp_path / "prepared").mkdir(exist_ok=True)
        for number in range(1, MOST):
            folder = tmp_path / f"cut-{number}"
            shutil.copytree(tmp_path / "prepared", folder)
            is_done = dies_at(number, lambda folder=folder: asked(models(folder), step[0], **step[1]))
            yield models(folder)
            if is_done:
                return
        raise AssertionError("it never came to its end")

    return deaths


def asked(models: Models, action: str, **words):
    return models.change(ChangeModel(Command("c", "model", {}, "cli", NOW), Action(action), **words), NOW)


INSTALL = ("install", {"bundle": bundle(version("1.1"))})
NEXT = ("install", {"bundle": bundle(version("1.2"))})
PROMOTE = ("promote", {"name": "tiny"})
ROLL_BACK = ("rollback", {"name": "tiny"})


@pytest.mark.parametrize(
    ("before", "step", "versions"),
    [
        ((), INSTALL, ("1.0", "1.0")),
        ((INSTALL,), PROMOTE, ("1.0", "1.1")),
        ((INSTALL, PROMOTE, NEXT), PROMOTE, ("1.1", "1.2")),
        ((INSTALL, PROMOTE, NEXT, PROMOTE), ROLL_BACK, ("1.2", "1.1")),
        ((INSTALL, PROMOTE), ROLL_BACK, ("1.1", "1.0")),
        ((INSTALL, PROMOTE, NEXT), ROLL_BACK, ("1.1", "1.1")),
    ],
)
def test_a_power_cut_at_any_moment_leaves_the_old_or_the_new_one(cuts, before, step, versions):
    seen = []
    for number, after in enumerate(cuts(before, step), 1):
        found = after.use("tiny")
        assert found.model is not None, f"nothing is in use after a death at line {number}"
        assert [known.shadow_fault for known in after.known()] == [""]
        assert [each.evidence for each in after.conditions() if each.holds] == []
        assert found.model.predict(CARD.check.inputs).shape == (6, 2)
        seen.append(found.model.version)
    assert len(seen) > 4
    assert (seen[0], seen[-1]) == versions
    assert seen == sorted(seen, key=versions.index)


def test_the_first_model_of_all_is_there_as_a_whole_or_not_at_all(cuts, tmp_path):
    shutil.rmtree(tmp_path / "shipped")
    seen = [[found[1] for found in after.versions()] for after in cuts((), INSTALL)]
    assert seen == sorted(seen, key=len)
    assert (seen[0], seen[-1]) == ([], ["1.1"])
    assert set(map(tuple, seen)) <= {(), (None,), ("1.1",)}


def test_a_change_that_died_can_be_made_again(cuts):
    for after in cuts((INSTALL, PROMOTE, NEXT), PROMOTE):
        if after.use("tiny").shadow is not None:
            assert asked(after, "promote", name="tiny").code is ResultCode.DONE
        assert after.use("tiny").model.version == "1.2"
        assert asked(after, "rollback", name="tiny").detail["version"] == "1.1"


def test_an_install_that_died_can_be_made_again(cuts):
    for after in cuts((), INSTALL):
        answer = asked(after, *INSTALL[:1], **INSTALL[1])
        assert answer.code is ResultCode.DONE or "must be later than 1.1" in answer.message
        assert after.use("tiny").shadow.version == "1.1"


def test_what_an_interrupted_write_leaves_is_no_model(tmp_path):
    store = ModelStore(tmp_path)
    store.put_shadow("tiny", FILE)
    (tmp_path / "tiny" / "active.model.unfinished").write_bytes(FILE[:100])
    assert (store.read("tiny", Slot.ACTIVE), store.read("tiny", Slot.SHADOW)) == (None, FILE)
    assert [name.rpartition("/")[2] for name, *_ in store.stamps()] == ["shadow.model"]


@pytest.fixture
def full():
    """A disk that takes a part of a bundle and no more, while it is entered."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    @contextmanager
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


def test_a_full_disk_refuses_the_new_one_and_keeps_nothing_of_it(full, tmp_path):
    store = ModelStore(tmp_path / "models")
    models = Models(SETTINGS, store, ship(tmp_path / "shipped", version("1.0")))
    assert asked(models, *INSTALL[:1], **INSTALL[1]).code is ResultCode.DONE
    before = sorted(found.name for found in (tmp_path / "models" / "tiny").iterdir())
    with full():
        answer = asked(models, *NEXT[:1], **NEXT[1])
    assert (answer.code, "the model cannot be kept: [Errno" in answer.message) == (ResultCode.BUSY, True), answer
    assert sorted(found.name for found in (tmp_path / "models" / "tiny").iterdir()) == before
    assert (models.use("tiny").model.version, models.use("tiny").shadow.version) == ("1.0", "1.1")
    assert asked(models, *NEXT[:1], **NEXT[1]).code is ResultCode.DONE


def test_a_full_disk_on_promotion_keeps_the_shadow_waiting(full, tmp_path):
    models = Models(SETTINGS, ModelStore(tmp_path / "models"), ship(tmp_path / "shipped", version("1.0")))
    for step in (INSTALL, PROMOTE, NEXT):
        assert asked(models, *step[:1], **step[1]).code is ResultCode.DONE
    with full():
        assert asked(models, *PROMOTE[:1], **PROMOTE[1]).code is ResultCode.BUSY
    assert (models.use("tiny").model.version, models.use("tiny").shadow.version) == ("1.1", "1.2")
    assert asked(models, *PROMOTE[:1], **PROMOTE[1]).detail["before"] == "1.1"


def test_there_is_nothing_where_nothing_was_put(tmp_path):
    store = ModelStore(tmp_path / "none")
    assert (store.names(), store.read("tiny", Slot.ACTIVE), list(store.stamps())) == ([], None, [])
    store.drop("tiny", Slot.SHADOW)
