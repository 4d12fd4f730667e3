"""Power cuts: the process dies before each line that writes, one after the other; real files, real death."""

import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import CARD, FILE, NOW, SETTINGS, bundle, ship, version

from edge_agent.decide.models import Action, ChangeModel
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.service import model_store
from edge_agent.service.model_store import ModelStore, Slot
from edge_agent.service.models import Models

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the child does nothing but die
MOST = 200  # lines: none of the changes takes more
_WRITING = ("put_shadow", "put_active", "promote", "roll_back", "drop", "note", "announce", "_write", "_make", "_sync")


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


def started(folder) -> Models:
    """As a start does; the models that came with the programme lie beside the folder."""
    return Models(SETTINGS, ModelStore(folder), folder.parent / "shipped")


@pytest.fixture
def folders(tmp_path):
    """``folders(before, step)``: what lies there after a power cut at each line of a step, and at last after none."""
    ship(tmp_path / "shipped", version("1.0"))

    def deaths(before, step) -> Iterator[Path]:
        prepared = started(tmp_path / "prepared")
        for number, (action, words) in enumerate(before):
            assert asked(prepared, action, f"before-{number}", **words).code is ResultCode.DONE
        (tmp_path / "prepared").mkdir(exist_ok=True)
        for number in range(1, MOST):
            folder = tmp_path / f"cut-{number}"
            shutil.copytree(tmp_path / "prepared", folder)
            is_done = dies_at(number, lambda folder=folder: asked(started(folder), step[0], "cut", **step[1]))
            yield folder
            if is_done:
                return
        raise AssertionError("it never came to its end")

    return deaths


@pytest.fixture
def cuts(folders):
    """As ``folders``, and the models that a start finds in them."""
    return lambda before, step: map(started, folders(before, step))


NUMBERS = count()


def asked(models: Models, action: str, cmd_id: str | None = None, now: Instant = NOW, **words):
    """A command of its own, unless its id says that it is the one of before."""
    command = Command(f"c-{next(NUMBERS)}" if cmd_id is None else cmd_id, "model", {}, "cli", now)
    return models.change(ChangeModel(command, Action(action), **words), now)


def told(answer):
    return answer.code, answer.message, answer.detail


def kept(folder):
    """The bytes of every slot, and the notes as a start understands them."""
    store = ModelStore(folder)
    return {slot: store.read("tiny", slot) for slot in Slot}, store.notes("tiny")


INSTALL = ("install", {"bundle": bundle(version("1.1"))})
NEXT = ("install", {"bundle": bundle(version("1.2"))})
PROMOTE = ("promote", {"name": "tiny"})
ROLL_BACK = ("rollback", {"name": "tiny"})


CHANGES = [  # what was done before, the change, the versions in use before and after it
    ((), INSTALL, ("1.0", "1.0")),
    ((INSTALL,), PROMOTE, ("1.0", "1.1")),
    ((INSTALL, PROMOTE, NEXT), PROMOTE, ("1.1", "1.2")),
    ((INSTALL, PROMOTE, NEXT, PROMOTE), ROLL_BACK, ("1.2", "1.1")),
    ((INSTALL, PROMOTE), ROLL_BACK, ("1.1", "1.0")),
    ((INSTALL, PROMOTE, NEXT), ROLL_BACK, ("1.1", "1.1")),
]


@pytest.mark.parametrize(("before", "step", "versions"), CHANGES)
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
        answer = asked(after, *INSTALL[:1], **INSTALL[1])  # as another command, and it says what is there
        assert answer.code is ResultCode.DONE or "must be later than 1.1" in answer.message
        assert after.use("tiny").shadow.version == "1.1"


def carried_out_once(folders, before, step):
    """After a death at each line: the command comes again, and again; each time the answer and what lies there are
    those of a change that nothing disturbed."""
    *cut, calm = folders(before, step)
    wanted = told(asked(started(calm), step[0], "cut", **step[1])), kept(calm)
    assert len(cut) > 4
    for number, folder in enumerate(cut, 1):
        for _ in range(2):
            answer = told(asked(started(folder), step[0], "cut", **step[1]))
            assert (answer, kept(folder)) == wanted, f"after a death at line {number}"
        assert list(started(folder).conditions()) == list(started(calm).conditions())


@pytest.mark.parametrize(("before", "step"), [change[:2] for change in CHANGES])
def test_a_command_that_comes_again_after_a_death_is_carried_out_once(folders, before, step):
    carried_out_once(folders, before, step)


def test_the_first_model_of_all_that_comes_again_after_a_death_is_taken_once(folders, tmp_path):
    shutil.rmtree(tmp_path / "shipped")
    carried_out_once(folders, (), INSTALL)


def test_an_undisturbed_change_is_done_and_answered_as_done_again(folders):
    *_, calm = folders((INSTALL, PROMOTE, NEXT), ROLL_BACK)
    answer = asked(started(calm), "rollback", "cut", name="tiny")
    assert told(answer) == (
        ResultCode.DONE, "the shadow of tiny, 1.2, is dropped, by command", {"name": "tiny", "dropped": "1.2"}
    )  # fmt: skip
    assert started(calm).use("tiny").model.version == "1.1"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["install", "promote", "rollback"]), st.lists(st.integers(1, 60), max_size=2)),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_was_asked_and_wherever_it_died_it_comes_to_the_same(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("storms")
    ship(folder / "shipped", version("1.0"))
    calm, storm = folder / "calm", folder / "storm"
    for number, (action, deaths) in enumerate(changes):
        words = {"bundle": bundle(version(f"1.{number + 1}"))} if action == "install" else {"name": "tiny"}

        def ask(where, action=action, cmd_id=f"c-{number}", words=words):
            return asked(started(where), action, cmd_id, **words)

        for death in deaths:
            dies_at(death, lambda ask=ask: ask(storm))
        assert (told(ask(storm)), kept(storm)) == (told(ask(calm)), kept(calm))


def test_the_same_id_is_another_command_a_day_later(tmp_path):
    ship(tmp_path / "shipped", version("1.0"))
    models = started(tmp_path / "models")
    for step in (INSTALL, PROMOTE, NEXT, PROMOTE):
        asked(models, step[0], **step[1])
    day_ms = 86_400_000
    for after_ms, version_then in ((0, "1.1"), (day_ms - 1, "1.1"), (day_ms, "1.0")):
        at = replace(NOW, mono_ms=NOW.mono_ms + after_ms, wall_ms=NOW.wall_ms + after_ms)
        assert asked(models, "rollback", "office-1", at, name="tiny").detail["version"] == version_then


def test_without_an_id_each_is_a_command_of_its_own(tmp_path):
    ship(tmp_path / "shipped", version("1.0"))
    models = started(tmp_path / "models")
    for step in (INSTALL, PROMOTE, NEXT):
        asked(models, step[0], **step[1])
    assert [asked(models, "rollback", "", name="tiny").detail["dropped"] for _ in range(2)] == ["1.2", "1.1"]


def test_a_promotion_that_died_and_was_given_up_costs_no_step_back(folders):
    for folder in folders((INSTALL, PROMOTE, NEXT), PROMOTE):
        after = started(folder)
        if after.use("tiny").shadow is not None:
            assert asked(after, "rollback", name="tiny").detail["dropped"] == "1.2"
            assert asked(after, "rollback", name="tiny").detail == {"name": "tiny", "version": "1.0", "dropped": "1.1"}


def test_what_the_comparison_did_before_a_death_is_told_after_it(tmp_path):
    """A promotion without a command: made, and the notes of it not written any more."""
    ship(tmp_path / "shipped", version("1.0"))
    models, days = started(tmp_path / "prepared"), [NOW.utc.date() + timedelta(days=number) for number in range(14)]
    asked(models, *INSTALL[:1], **INSTALL[1])
    for day in days[:-1]:
        models.record("tiny", day, [(0.8, 1.0)] * 20, NOW)
    seen, is_done, number = set(), False, 0
    while not is_done:
        number += 1
        folder = tmp_path / f"cut-{number}"
        shutil.copytree(tmp_path / "prepared", folder)
        is_done = dies_at(number, partial(started(folder).record, "tiny", days[-1], [(0.8, 1.0)] * 20, NOW))
        after = started(folder)
        seen.add((after.use("tiny").model.version, after.decided("tiny")[0].split(",")[0]))
    assert seen == {("1.0", "tiny 1.1 runs in shadow beside 1.0 for 14 days at least"), ("1.1", "tiny 1.1 is in use")}


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
