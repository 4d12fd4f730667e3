"""A short run of `scripts/fuzz commands`, and that its judge can say no."""

from random import Random

from fuzz_parts.commands import Model, Verdict, _judge_answer, _judge_effects, fuzz
from fuzz_parts.payloads import SILENT, Forge, Payload
from fuzz_parts.room import Room

COUNT = 2500


def test_hostile_commands_crash_nothing_do_nothing_and_are_answered_as_specified(tmp_path):
    verdict = fuzz(tmp_path, COUNT, seed=5)
    assert verdict.goals() == dict.fromkeys(verdict.goals(), 0), verdict.examples
    told = verdict.told()
    assert told["payloads"] == COUNT
    assert told["restarts"] >= 8
    assert {"done", "duplicate", "expired", "invalid", "unauthorized", "unsupported"} <= told["answers"].keys()
    assert len(verdict.kinds) > 30


def test_an_effect_that_nothing_lawful_explains_is_seen(tmp_path):
    forge = Forge(Random(1), lambda: room.clock.wall_s())
    room = Room(tmp_path, forge.tables())
    try:
        verdict = Verdict()
        _judge_effects(room, room.cycle(), [], verdict, Model())
        assert verdict.is_met
        _judge_effects(room, room.cycle(), [], verdict, Model(tare_g=350.0))
        assert verdict.unauthorised == 1
        lawful = Payload("lawful", "", b"", frozenset(), ("line",), "c-1")
        _judge_effects(room, room.cycle(), [lawful], verdict, Model())
        assert verdict.missing == 1
    finally:
        room.stop()


def test_an_answer_that_is_missing_wrong_or_too_much_is_seen():
    verdict, asked = Verdict(), Payload("kind", "t", b"", frozenset({"invalid"}))
    for payload, codes in (
        (asked, ["invalid"]),
        (asked, []),
        (asked, ["done"]),
        (asked, ["invalid", "invalid"]),
        (Payload("kind", "t", b"", SILENT), []),
        (Payload("kind", "t", b"", SILENT), ["invalid"]),
    ):
        _judge_answer(payload, codes, verdict, is_crowd=False)
    assert (verdict.unanswered, verdict.otherwise) == (1, 3)
