"""Models of one node: which is in use, why another is refused, how a new one takes its place. Real files, no agent."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from model_files import (
    CARD,
    FILE,
    FLOAT_FILE,
    KEY,
    NOW,
    OTHER_FILE,
    SETTINGS,
    THIEF,
    WALL,
    bundle,
    card_of,
    ship,
    text,
    version,
    wrong_answers,
)

from edge_agent.decide.models import Action, ChangeModel, ModelSettings
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.instant import ClockState
from edge_agent.inference.bundle import TYPE, packed
from edge_agent.inference.card import written
from edge_agent.inference.shadow import Verdict
from edge_agent.mqtt.signed import encoded, envelope
from edge_agent.service.model_store import ModelStore, Slot
from edge_agent.service.models import Models
from tests.service.worse_models import shipped


class Node:
    """Models of one state directory; ``started`` makes them anew, as a restart does."""

    def __init__(self, folder, settings=SETTINGS):
        self.folder, self.settings, self.numbers = folder, settings, count()
        self.shipped = folder / "shipped"
        self.started()

    def started(self):
        self.models = Models(self.settings, ModelStore(self.folder / "models"), self.shipped)
        return self

    def ask(self, action, now=NOW, **words):
        command = Command(f"c-{next(self.numbers)}", "model", {}, "cli", now)
        return self.models.change(ChangeModel(command, Action(action), **words), now)

    def install(self, found, now=NOW):
        return self.ask("install", now, bundle=found)

    @property
    def in_use(self):
        found = self.models.use("tiny")
        return None if found.model is None else found.model.version

    @property
    def in_shadow(self):
        found = self.models.use("tiny")
        return None if found.shadow is None else found.shadow.version

    @property
    def alarms(self):
        return {found.name: found.evidence for found in self.models.conditions() if found.holds}


@pytest.fixture
def node(tmp_path):
    ship(tmp_path / "shipped", version("1.0"))
    return Node(tmp_path)


@pytest.fixture
def bare(tmp_path):
    return Node(tmp_path)


def at(days: float):
    return replace(NOW, wall_ms=NOW.wall_ms + round(days * 86_400_000), mono_ms=NOW.mono_ms + round(days * 86_400_000))


# --- what is in use ---------------------------------------------------------------------------------------------------


def test_the_shipped_model_is_used_and_says_nothing(node):
    found = node.models.use("tiny")
    assert (node.in_use, node.in_shadow, found.reason, node.alarms) == ("1.0", None, "", {})
    assert found.model.predict(CARD.check.inputs).shape == (6, 2)


def test_it_is_opened_once_a_thread(node):
    first = node.models.use("tiny").model
    assert node.models.use("tiny").model is first
    found = []
    other = threading.Thread(target=lambda: found.append(node.models.use("tiny").model))
    other.start()
    other.join()
    assert found[0] is not first
    assert found[0].version == "1.0"


@pytest.mark.parametrize(
    ("card", "file", "says"),
    [
        (version("1.0"), FILE[:-9], "cut short"),
        (version("1.0"), FILE[:800] + b"\0\0\0\0" + FILE[804:], "SHA-256"),
        (version("1.0"), OTHER_FILE, "another file"),
        (card_of(FLOAT_FILE, "1.0"), FLOAT_FILE, "float32: must be int8"),
        (card_of(OTHER_FILE, "1.0"), OTHER_FILE, "quantised by scale"),
        (wrong_answers("1.0"), FILE, "away from what was recorded"),
        (replace(version("1.0"), name="other"), FILE, "its card is that of other"),
    ],
)
def test_a_file_that_is_not_right_is_an_alarm_and_the_agent_goes_on_without(bare, card, file, says):
    ship(bare.shipped, card, file)
    (bare.shipped / "tiny.json").write_bytes(written(card))
    (bare.shipped / "tiny.tflite").write_bytes(file)
    found = bare.models.use("tiny")
    assert found.model is None
    assert says in found.reason
    assert says in bare.alarms["model-tiny"]


def test_the_alarm_ends_once_the_file_is_mended(node):
    (node.shipped / "tiny.tflite").write_bytes(FILE[:-9])
    node.models.look(NOW)
    assert (node.in_use, "cut short" in node.alarms["model-tiny"]) == (None, True)
    (node.shipped / "tiny.tflite").write_bytes(FILE)
    node.models.look(replace(NOW, mono_ms=NOW.mono_ms + 30_000))
    assert "model-tiny" in node.alarms  # it does not look at the card all the time
    node.models.look(replace(NOW, mono_ms=NOW.mono_ms + 61_000))
    assert (node.in_use, node.alarms) == ("1.0", {})


def test_a_model_that_nobody_has_is_an_alarm_until_it_comes(bare):
    found = bare.models.use("tiny")
    assert (found.model, found.reason) == (None, "there is no model tiny here")
    assert bare.alarms == {"model-tiny": "there is no model tiny here"}
    ship(bare.shipped, version("1.0"))
    bare.models.look(NOW)
    assert (bare.in_use, bare.alarms) == ("1.0", {})


def test_switched_off_nothing_takes_part_and_nothing_is_alarmed(node):
    node.settings = ModelSettings(enabled=False)
    node.started()
    (node.shipped / "tiny.tflite").write_bytes(b"")
    assert node.models.use("tiny").reason == "models.enabled = false"
    assert (node.alarms, node.models.versions()) == ({}, [])
    assert node.install(bundle(version("1.1"))).code is ResultCode.UNSUPPORTED


# --- install, promote, roll back --------------------------------------------------------------------------------------


def test_a_new_model_runs_in_shadow_is_promoted_and_rolled_back(node):
    answer = node.install(bundle(version("1.1")))
    assert (answer.code, answer.detail) == (ResultCode.DONE, {"name": "tiny", "version": "1.1", "slot": "shadow"})
    assert (node.in_use, node.in_shadow) == ("1.0", "1.1")
    assert node.models.versions() == [("tiny", "1.0", "1.1")]
    assert node.started().in_shadow == "1.1"  # after a restart too
    assert node.ask("promote", name="tiny", reason="looks good").message == (
        "tiny 1.1 is in use, by command: looks good"
    )  # fmt: skip
    assert (node.in_use, node.in_shadow) == ("1.1", None)
    assert node.install(bundle(version("1.2"))).code is ResultCode.DONE
    assert node.ask("promote", name="tiny").detail == {"name": "tiny", "version": "1.2", "before": "1.1"}
    assert node.started().in_use == "1.2"
    assert node.ask("rollback", name="tiny").detail == {"name": "tiny", "version": "1.1", "dropped": "1.2"}
    assert node.in_use == "1.1"
    assert node.ask("rollback", name="tiny").detail["version"] == "1.0"
    assert (node.started().in_use, node.alarms) == ("1.0", {})
    answer = node.ask("rollback", name="tiny")
    assert answer.message == "tiny: nothing was installed that could be rolled back"


def test_a_shadow_is_what_is_rolled_back_first(node):
    node.install(bundle(version("1.1")))
    answer = node.ask("rollback", name="tiny", reason="second thoughts")
    assert answer.message == "the shadow of tiny, 1.1, is dropped, by command: second thoughts"
    assert (node.in_use, node.in_shadow) == ("1.0", None)


def test_where_nothing_is_in_use_a_new_one_is_at_once(bare):
    assert bare.install(bundle(version("1.0"))).detail["slot"] == "active"
    assert bare.in_use == "1.0"
    ship(bare.shipped, version("1.5"), FILE[:-1])
    assert bare.install(bundle(version("2.0"))).detail["slot"] == "shadow"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (bundle(version("1.0")), "version 1.0: must be later than 1.0"),
        (bundle(version("0.9")), "version 0.9: must be later than 1.0"),
        (bundle(version("1.1"), key=THIEF), "the signature is not that of office"),
        (bundle(version("1.1"), name="till"), "it is signed by 'till': must be one of office"),
        (bundle(version("1.1"), valid_d=-1), "it was to be installed until 2026-03-09"),
        (bundle(version("1.1"), FILE[:-4]), "cut short"),
        (bundle(version("1.1"), OTHER_FILE), "another file"),
        (bundle(card_of(FLOAT_FILE, "1.1"), FLOAT_FILE), "float32: must be int8"),
        (bundle(wrong_answers("1.1")), "away from what was recorded"),
        (bundle(replace(version("1.1"), task="spoilage")), "its task is spoilage, that of the one in use demand"),
        ({**bundle(version("1.1")), "signed": bundle(version("1.2"))["signed"]}, "the signature is not that of office"),
        ({**bundle(version("1.1")), "signed": "%"}, "signed is not base64"),
        ({"key": "office"}, "a signed command has the members"),
        ({"card": "x", "model": "y"}, "it is not signed"),
        ({}, "it is not signed"),
    ],
)
def test_a_bundle_that_is_not_right_is_refused_and_nothing_changes(node, found, says):
    answer = node.install(found)
    assert (answer.code, says in answer.message) == (ResultCode.INVALID, True), answer.message
    assert (node.in_use, node.in_shadow, node.alarms) == ("1.0", None, {})
    assert node.install(bundle(version("1.1"))).code is ResultCode.DONE


def test_a_signature_for_a_command_is_none_for_a_model(node):
    body = packed(written(version("1.1")), FILE, WALL, WALL + timedelta(days=1))
    as_command = envelope("office", body, KEY.sign(encoded(body)))
    assert "the signature is not that" in node.install(as_command).message
    as_model = envelope("office", body, KEY.sign(encoded(body, TYPE)))
    assert node.install(as_model).code is ResultCode.DONE


def test_without_keys_nothing_is_installed(tmp_path):
    node = Node(tmp_path, ModelSettings())
    assert "no [[models.key]] is configured" in node.install(bundle(version("1.1"))).message


def test_without_a_clock_only_the_version_keeps_old_ones_away(node):
    unsynced = replace(NOW, clock=ClockState.UNSYNCED)
    assert node.install(bundle(version("1.1"), valid_d=-1), unsynced).code is ResultCode.DONE
    assert "must be later" in node.install(bundle(version("1.0"), valid_d=-1), unsynced).message


def test_a_version_that_was_rolled_back_does_not_come_again(node):
    node.install(bundle(version("1.1")))
    node.ask("rollback", name="tiny")
    assert "must be later than 1.1" in node.started().install(bundle(version("1.1"))).message


def test_a_newer_programme_brings_a_newer_model(node):
    node.install(bundle(version("1.1")))
    node.ask("promote", name="tiny")
    ship(node.shipped, version("1.2"))
    assert node.started().in_use == "1.2"
    ship(node.shipped, version("1.0"))
    assert node.started().in_use == "1.1"  # and a programme that went back lets go of it


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: content[:-20], "no bundle made by"),
        (lambda content: text(bundle(version("1.2"), key=THIEF)), "the signature is not that of office"),
        (lambda content: text(bundle(wrong_answers("1.2"))), "away from what was recorded"),
        (lambda content: text(bundle(replace(version("1.2"), name="other"))), "its card is that of other"),
        (lambda content: b"x" * 300_000, "more than 262144 bytes"),
    ],
)
def test_an_installed_file_that_was_spoiled_is_an_alarm_and_an_earlier_model_is_used(node, damage, says):
    for number in ("1.1", "1.2"):
        node.install(bundle(version(number)))
        node.ask("promote", name="tiny")
    active = node.folder / "models" / "tiny" / "active.model"
    active.write_bytes(damage(active.read_bytes()))
    assert (node.started().in_use, says in node.alarms["model-tiny"]) == ("1.1", True)
    assert "is refused; version 1.1 takes its place" in next(iter(node.models.conditions())).message
    assert node.ask("rollback", name="tiny").code is ResultCode.DONE
    assert (node.in_use, node.alarms) == ("1.1", {})


def test_a_key_that_was_withdrawn_takes_its_models_along(node):
    node.install(bundle(version("1.1")))
    node.ask("promote", name="tiny")
    node.settings = ModelSettings()
    assert (node.started().in_use, "it is signed by 'office'" in node.alarms["model-tiny"]) == ("1.0", True)


def test_a_card_that_takes_no_writes_is_said_and_changes_nothing(node):
    (node.folder / "models").write_bytes(b"a file in the way")
    answer = node.install(bundle(version("1.1")))
    assert (answer.code, "cannot be kept" in answer.message) == (ResultCode.BUSY, True)
    assert (node.in_use, node.in_shadow) == ("1.0", None)


def test_a_folder_that_cannot_be_read_leaves_the_shipped_ones(node, caplog):
    (node.folder / "models").symlink_to(node.folder / "models")  # ELOOP, whoever asks
    assert (node.started().in_use, node.models.versions()) == ("1.0", [("tiny", "1.0", None)])
    assert "cannot be read" in caplog.text


def _huge(path):
    with path.open("wb") as file:
        file.truncate(20_000_000_000)  # sparse: nothing of it lies on the disk


def _directory(path):
    path.mkdir()


def _pipe(path):
    os.mkfifo(path)  # nobody writes into it: whoever reads waits for ever


def _endless(path):
    path.symlink_to("/dev/zero")


def _loop(path):
    path.symlink_to(path)


NOT_FILES = [
    (_huge, "bytes"),
    (_directory, "is no file with bytes in it"),
    (_pipe, "is no file with bytes in it"),
    (_endless, "is no file with bytes in it"),
    (_loop, "symbolic links"),
]


@pytest.mark.parametrize("file", ["tiny.json", "tiny.tflite"])
@pytest.mark.parametrize(("put", "says"), NOT_FILES)
def test_a_shipped_file_that_is_none_is_an_alarm_and_holds_nobody_up(node, put, says, file):
    (node.shipped / file).unlink()
    put(node.shipped / file)
    found = node.started().models.use("tiny")
    assert (found.model, says in found.reason) == (None, True), found.reason
    assert says in node.alarms["model-tiny"]
    assert node.install(bundle(version("1.1"))).detail["slot"] == "active"
    assert node.in_use == "1.1"


@pytest.mark.parametrize("slot", list(Slot))
@pytest.mark.parametrize(("put", "says"), NOT_FILES)
def test_an_installed_file_that_is_none_leaves_the_others_in_use(node, put, says, slot):
    for number in ("1.1", "1.2"):
        node.install(bundle(version(number)))
        node.ask("promote", name="tiny")
    path = node.folder / "models" / "tiny" / f"{slot}.model"
    path.unlink(missing_ok=True)
    put(path)
    assert node.started().in_use == ("1.1" if slot is Slot.ACTIVE else "1.2")
    if slot is Slot.PREVIOUS:
        assert node.alarms == {}  # it is not missed before somebody wants it
    else:
        assert says in node.alarms["model-tiny"]


def test_a_link_to_a_sound_file_is_as_good_as_the_file(node, tmp_path):
    (node.shipped / "tiny.tflite").rename(tmp_path / "elsewhere")
    (node.shipped / "tiny.tflite").symlink_to(tmp_path / "elsewhere")
    assert (node.started().in_use, node.alarms) == ("1.0", {})


@pytest.mark.parametrize("name", ["lost+found", "Tiny", "a" * 25, "1", "#"])
def test_what_no_model_can_be_called_is_none(node, name):
    (node.folder / "models" / name).mkdir(parents=True)
    (node.folder / "models" / name / "active.model").write_bytes(b"x")
    (node.shipped / f"{name}.json").write_bytes(b"x")
    assert (node.started().models.versions(), node.alarms) == ([("tiny", "1.0", None)], {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_an_alarm(node):
    (node.shipped / "tiny.tflite").chmod(0)
    assert (node.started().in_use, "Permission denied" in node.alarms["model-tiny"]) == (None, True)


# --- of use -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def programme(tmp_path):
    """The models of the programme itself, and their cards."""
    found = Node(tmp_path)
    for name in ("demand-q11", "spoilage-q5"):
        ship(found.shipped, *shipped(name))
    return found.started()


def swapped(name, other, **changes):
    """The other model under this one's name."""
    card, file = shipped(other)
    return replace(card, name=name, **changes), file


@pytest.mark.parametrize(
    ("card", "says"),
    [
        (swapped("demand-q11", "spoilage-q5"), "its task is spoilage: demand-q11 must be one of demand"),
        (swapped("spoilage-q5", "demand-q11"), "its task is demand: spoilage-q5 must be one of spoilage"),
        (swapped("demand-q11", "spoilage-q5", task="demand"), "inputs are not the"),
        (swapped("spoilage-q5", "demand-q11", task="spoilage"), "inputs are not the"),
    ],
)
def test_the_wrong_model_under_the_right_name_is_refused_on_every_way_in(programme, card, says):
    of, file = card
    before = programme.models.use(of.name).model.version
    answer = programme.install(bundle(replace(of, version="9.0"), file))
    assert (answer.code, says in answer.message) == (ResultCode.INVALID, True), answer.message
    assert programme.models.use(of.name).model.version == before
    ship(programme.shipped, of, file)
    found = programme.started().models.use(of.name)
    assert (found.model, says in found.reason, says in programme.alarms[f"model-{of.name}"]) == (None, True, True)


def test_the_alarm_names_what_goes_on_without_the_model(programme):
    for name, says in (("demand-q11", "with the simple methods"), ("spoilage-q5", "with the physics")):
        (programme.shipped / f"{name}.tflite").write_bytes(b"")
        programme.started()
        programme.models.use(name)
        (found,) = (each for each in programme.models.conditions() if each.name == f"model-{name}")
        assert (found.holds, says in found.message) == (True, True), found.message


@pytest.mark.parametrize("action", ["promote", "rollback"])
def test_a_name_that_is_not_here_is_refused_with_those_that_are(node, action):
    answer = node.ask(action, name="weather")
    assert (answer.code, answer.message) == (ResultCode.INVALID, "name = 'weather': must be one of tiny")


def test_there_must_be_a_shadow_to_promote(node):
    assert "no model runs in shadow" in node.ask("promote", name="tiny").message


# --- what fails on the way --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1.1", "2.0"])
def test_a_shadow_that_was_spoiled_is_an_alarm_and_can_be_rolled_back(node, number):
    node.install(bundle(version("1.1")))
    shadow = node.folder / "models" / "tiny" / "shadow.model"
    spoiled = {"1.1": shadow.read_bytes()[:-20], "2.0": text(bundle(wrong_answers("2.0")))}[number]
    shadow.write_bytes(spoiled)
    assert (node.started().in_use, node.in_shadow) == ("1.0", None)
    assert node.alarms["model-tiny"].startswith("shadow: ")
    (found,) = node.models.conditions()
    assert found.message == "The model tiny is refused; it is the new one; 1.0 stays in use"
    assert node.models.versions() == [("tiny", "1.0", None)]
    assert node.ask("promote", name="tiny").code is ResultCode.INVALID
    assert node.ask("rollback", name="tiny").code is ResultCode.DONE
    assert (node.in_use, node.alarms, shadow.exists()) == ("1.0", {}, False)


def test_a_shadow_that_a_newer_programme_overtook_is_none(node):
    node.install(bundle(version("1.1")))
    ship(node.shipped, version("1.2"))
    assert (node.started().in_use, node.in_shadow, node.alarms) == ("1.2", None, {})
    assert "no model runs in shadow" in node.ask("promote", name="tiny").message
    assert node.ask("rollback", name="tiny").detail["dropped"] == "1.1"


def test_what_was_learnt_against_one_model_says_nothing_of_another(node):
    node.install(bundle(version("1.5")))
    watched(node, 0.9, 1.0, 4)
    ship(node.shipped, version("1.2"))
    shadow, _ = node.started().models.compared("tiny")
    assert (shadow.against, shadow.days) == ("1.2", ())


def test_a_step_back_to_a_spoiled_file_goes_to_the_one_that_came_with_the_programme(node):
    for number in ("1.1", "1.2"):
        node.install(bundle(version(number)))
        node.ask("promote", name="tiny")
    (node.folder / "models" / "tiny" / "previous.model").write_bytes(b"{}")
    assert node.ask("rollback", name="tiny").detail["version"] == "1.0"
    assert (node.started().in_use, node.alarms) == ("1.0", {})


def test_a_change_whose_notes_find_no_room_is_made_and_says_so(node):
    (node.folder / "models" / "tiny" / "notes.json.unfinished").mkdir(parents=True)  # nothing can be written there
    for ask, version_of in (
        (lambda: node.install(bundle(version("1.1"))), lambda: node.in_shadow),
        (lambda: node.ask("promote", name="tiny"), lambda: node.in_use),
    ):
        answer = ask()
        assert (answer.code, "its notes cannot be kept" in answer.message) == (ResultCode.DONE, True), answer
        assert version_of() == "1.1"


def test_notes_that_may_not_be_read_cost_the_comparison_alone(node):
    node.install(bundle(version("1.1")))
    notes = node.folder / "models" / "tiny" / "notes.json"
    notes.unlink()
    notes.mkdir()
    assert node.started().models.compared("tiny")[0].days == ()
    assert node.models.record("tiny", day(0), [(1.0, 1.0)], NOW).verdict is Verdict.WATCH
    assert (node.in_use, node.in_shadow) == ("1.0", "1.1")


# --- the comparison ---------------------------------------------------------------------------------------------------


def day(number: int) -> date:
    return datetime.fromtimestamp(at(number).wall_ms / 1000, UTC).date()


def watched(node, new, old, days):
    """Days of outcomes, with a restart every night; the last judgement that was given."""
    verdicts = []
    for number in range(days):
        found = node.started().models.record("tiny", day(number), [(new, old)] * 20, at(number))
        if found is not None:
            verdicts.append(found)
    return verdicts


def test_a_better_model_takes_over_by_itself_and_tells_why(node):
    node.install(bundle(version("1.1")))
    verdicts = watched(node, 0.8, 1.0, 20)
    assert [found.verdict for found in verdicts] == [Verdict.WATCH] * 13 + [Verdict.PROMOTE]
    assert (node.in_use, node.in_shadow) == ("1.1", None)
    decision = json.loads((node.folder / "models" / "tiny" / "notes.json").read_bytes())["decision"]
    assert "tiny 1.1 is in use, not worse: its loss is -20.0%" in decision
    assert node.ask("rollback", name="tiny").detail["version"] == "1.0"


def test_a_worse_model_is_dropped_by_itself_and_tells_why(node):
    node.install(bundle(version("1.1")))
    verdicts = watched(node, 1.2, 1.0, 20)
    assert [found.verdict for found in verdicts] == [Verdict.WATCH] * 6 + [Verdict.REJECT]
    assert (node.in_use, node.in_shadow) == ("1.0", None)
    notes = json.loads((node.folder / "models" / "tiny" / "notes.json").read_bytes())
    assert ("worse: its loss is +20.0%" in notes["decision"], notes["dropped"]) == (True, ["1.1"])


def test_a_shadow_that_vanished_before_its_promotion_is_not_said_to_be_in_use(node, caplog):
    node.install(bundle(version("1.1")))
    watched(node, 0.8, 1.0, 13)
    assert node.in_shadow == "1.1"
    (node.folder / "models" / "tiny" / "shadow.model").unlink()
    node.models.record("tiny", day(13), [(0.8, 1.0)] * 20, at(13))
    assert "tiny: no model runs in shadow" in caplog.text
    assert (node.started().in_use, "in use" in node.models.decided("tiny")[0]) == ("1.0", False)


def test_with_shadow_days_0_somebody_must_say_so(node):
    node.settings = replace(SETTINGS, shadow_days=0)
    node.started().install(bundle(version("1.1")))
    assert {found.verdict for found in watched(node, 0.8, 1.0, 40)} == {Verdict.WATCH}
    shadow, judgement = node.models.compared("tiny")
    assert (shadow.outcomes, "its loss is -20.0%" in judgement.reason) == (800, True)
    assert node.ask("promote", name="tiny").code is ResultCode.DONE


def test_another_shadow_begins_its_comparison_anew(node):
    node.install(bundle(version("1.1")))
    watched(node, 1.2, 1.0, 4)
    node.install(bundle(version("1.2")))
    assert (node.in_shadow, node.models.compared("tiny")[0].days) == ("1.2", ())


def test_without_a_shadow_outcomes_go_nowhere(node):
    assert node.models.record("tiny", day(0), [(1.0, 1.0)], NOW) is None
    assert node.models.compared("tiny") is None
    assert not (node.folder / "models").exists()


def test_what_is_no_loss_is_refused(node):
    node.install(bundle(version("1.1")))
    with pytest.raises(ValueError, match="must be finite"):
        node.models.record("tiny", day(0), [(float("nan"), 1.0)], NOW)


@pytest.mark.parametrize(
    "damage",
    [
        b'{"highest": ',
        b'{"highest": 3}',
        b'{"highest": "abc"}',
        b'{"highest": "1.1", "dropped": 5}',
        b'{"highest": "1.1", "dropped": [5]}',
        b'{"highest": "1.1", "answers": {}}',
        b'{"highest": "1.1", "answers": [3]}',
        b'{"highest": "1.1", "answers": [{"cmd_id": 3}]}',
        b'{"highest": "1.1", "answers": [{"cmd_id": "c", "words": "w", "detail": {}}]}',
        b'{"highest": "1.1", "answers": [{"cmd_id": "c", "words": "w", "detail": {}, "received": {"mono_ms": 1, '
        b'"wall_ms": 1, "boot": "b", "clock": "wound up"}}]}',
        b'{"highest": "1.1", "announced": 3}',
        b'{"highest": "1.1", "announced": {"slot": "shadow", "sha256": "", "notes": []}}',
        b'{"highest": "1.1", "announced": {"slot": "shadow", "sha256": 0, "notes": {}}}',
        b"[]",
        b"[" * 100_000,
    ],
)
def test_notes_that_cannot_be_read_are_begun_anew(node, caplog, damage):
    node.install(bundle(version("1.1")))
    (node.folder / "models" / "tiny" / "notes.json").write_bytes(damage)
    assert node.started().models.compared("tiny")[0].days == ()
    assert "must be later than 1.1" not in node.install(bundle(version("1.2"))).message
    assert "notes.json" in caplog.text


def test_of_a_change_that_only_a_later_programme_knows_the_notes_before_it_hold(node, caplog):
    node.install(bundle(version("1.1")))
    notes = node.folder / "models" / "tiny" / "notes.json"
    told = json.loads(notes.read_bytes())
    after = {"slot": "attic", "sha256": "", "notes": {"highest": "7.0"}}
    notes.write_text(json.dumps(told | {"announced": after, "weather": "fine"}))
    assert node.started().ask("rollback", name="tiny").code is ResultCode.DONE
    assert "must be later than 1.1" in node.install(bundle(version("1.1"))).message
    assert "notes.json" not in caplog.text


def test_a_thread_at_work_keeps_its_model_until_it_asks_again(node):
    before = node.models.use("tiny").model
    node.install(bundle(version("1.1")))
    node.ask("promote", name="tiny")
    assert before.predict(CARD.check.inputs).shape == (6, 2)
    assert node.models.use("tiny").model.version == "1.1"


def test_a_file_that_vanishes_between_two_looks_is_no_crash(node):
    node.install(bundle(version("1.1")))
    node.ask("promote", name="tiny")
    os.unlink(node.folder / "models" / "tiny" / "active.model")
    node.models.look(NOW)
    assert (node.in_use, node.alarms) == ("1.0", {})
    assert ModelStore(node.folder / "models").read("tiny", Slot.ACTIVE) is None


START = """
import sys
from pathlib import Path
import edge_agent.cli.run
from edge_agent.decide.models import ModelSettings
from edge_agent.service.models import models_of
models = models_of(ModelSettings(), Path(sys.argv[1]))
assert models.known() is not None and list(models.conditions()) is not None
print(sorted({name.partition(".")[0] for name in sys.modules} & {"numpy", "ai_edge_litert", "tflite_runtime"}))
models.use("tiny")
"""


def test_the_agent_starts_without_numpy_and_runtime(tmp_path):
    done = subprocess.run([sys.executable, "-c", START, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
