"""Commands through the MQTT room into the real store, compared with a model of what may happen."""

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from edge_agent.decide import ChangeModel, Decision, Identify, Resend
from edge_agent.decide.memory import from_rows
from edge_agent.domain.record import RecordKind
from edge_agent.mqtt.wire import Incoming
from edge_agent.service.model_store import FOLDER
from fuzz_parts.payloads import Forge, Payload
from fuzz_parts.room import PLACE, SHELF, Room

BATCH = 200  # in one cycle
CROWD = 700  # now and then: more than a cycle takes, and so `busy` is an answer
EVERY_CROWD = 25  # batches
RESTARTS = 8
MAX_EXAMPLES = 20
_OF_PEOPLE = (RecordKind.DELIVERY, RecordKind.WASTE)


@dataclass(slots=True)
class Tally:
    sent: int = 0
    silent: int = 0
    codes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Verdict:
    kinds: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    crashes: int = 0
    unauthorised: int = 0  # effects that no lawful command explains
    missing: int = 0  # effects that a lawful command, answered `done`, should have had
    unanswered: int = 0
    otherwise: int = 0  # answered, but not as specified
    restarts: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        return not any(self.goals().values())

    def goals(self) -> dict[str, int]:
        return {
            "crashes": self.crashes,
            "unauthorised effects": self.unauthorised,
            "lawful effects missing": self.missing,
            "unanswered, and must be answered": self.unanswered,
            "answered otherwise than specified": self.otherwise,
        }

    def told(self) -> dict[str, Any]:
        answers = sum((tally.codes for tally in self.kinds.values()), Counter[str]())
        sent = sum(tally.sent for tally in self.kinds.values())
        silent = sum(tally.silent for tally in self.kinds.values())
        goals = {name.replace(", and", "").replace(" ", "_"): found for name, found in self.goals().items()}
        return {"payloads": sent, "dropped": silent, "restarts": self.restarts, **goals, "answers": dict(answers)}

    def example(self, words: str) -> None:
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(words)


@dataclass(slots=True)
class Model:
    """What the lawful commands that were answered `done` have made of the node."""

    limits: dict[str, float] = field(default_factory=dict)  # of the place
    tare_g: float = 0.0


def fuzz(directory: Path, count: int, seed: int, say: Callable[[str], None] = lambda words: None) -> Verdict:
    forge = Forge(Random(seed), lambda: room.clock.wall_s())
    room = Room(directory, forge.tables())
    verdict, model, batch = Verdict(), Model(), 0
    restart_every = max(1, count // (RESTARTS + 1))
    next_restart = restart_every
    try:
        while forge.count < count:
            batch += 1
            size = min(CROWD if batch % EVERY_CROWD == 0 else BATCH, count - forge.count)
            _throw(room, forge, size, verdict, model)
            if forge.count >= next_restart:
                next_restart += restart_every
                say(f"{forge.count} payloads, {verdict.goals()}")
                _restart(room, verdict, model)
    finally:
        room.stop()
    return verdict


def _throw(room: Room, forge: Forge, size: int, verdict: Verdict, model: Model) -> None:
    """One cycle with so many; then everything that happened must be explained."""
    payloads, is_crowd = [forge.make() for _ in range(size)], size > BATCH
    now = room.parts.watch.now()
    room.broker.answers.clear()
    room.broker.commands = [
        Incoming(each.topic, each.body, each.retain, now, each.expiry_s, correlation=b"%d" % number)
        for number, each in enumerate(payloads)
    ]
    try:
        decision = room.cycle()
    except Exception:  # noqa: BLE001 (whatever it is, it is what was looked for)
        verdict.crashes += 1
        verdict.example(traceback.format_exc())
        room.stop()
        room.start()
        return
    codes = _codes(room, verdict)
    for number, payload in enumerate(payloads):
        _judge_answer(payload, codes.get(number, []), verdict, is_crowd=is_crowd)
    done = [payload for number, payload in enumerate(payloads) if payload.effect and codes.get(number) == ["done"]]
    _judge_effects(room, decision, done, verdict, model)
    turned_away = {payload.cmd_id for number, payload in enumerate(payloads) if codes.get(number) == ["busy"]}
    forge.sent = [payload for payload in forge.sent if payload.cmd_id not in turned_away]  # never used: good once more


def _codes(room: Room, verdict: Verdict) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for correlation, code, topic in room.broker.answers:
        if correlation is None or "/rsp/" not in topic:
            verdict.otherwise += 1
            verdict.example(f"an answer without correlation: {code} on {topic}")
        else:
            found[int(correlation)].append(code)
    return found


def _judge_answer(payload: Payload, codes: Sequence[str], verdict: Verdict, *, is_crowd: bool) -> None:
    tally = verdict.kinds[payload.kind]
    tally.sent += 1
    tally.codes.update(codes)
    tally.silent += not codes
    expected = payload.expected | {"busy", "done"} if is_crowd else payload.expected
    if not codes and "silent" not in payload.expected:
        verdict.unanswered += 1
        verdict.example(f"{payload.kind}: no answer to {payload.topic} {payload.body[:200]!r}")
    elif len(codes) > 1 or any(code not in expected for code in codes):
        verdict.otherwise += 1
        verdict.example(
            f"{payload.kind}: answered {codes}, expected {sorted(payload.expected)}: {payload.body[:300]!r}"
        )


def _judge_effects(
    room: Room, decision: Decision, done: Sequence[Payload], verdict: Verdict, model: Model
) -> None:  # fmt: skip
    for payload in done:
        match payload.effect:
            case ("set", value):
                model.limits["high_c"] = value
            case ("tare", value):
                model.tare_g = value
    lawful = {payload.cmd_id: payload.effect[0] for payload in done}
    happened = _happened(decision)
    for cmd_id, what in happened:
        if lawful.get(cmd_id) != what:
            verdict.unauthorised += 1
            verdict.example(f"unauthorised: {what} by {cmd_id!r}")
    wanted = Counter((cmd_id, what) for cmd_id, what in lawful.items() if what in ("request", "line", "tare"))
    verdict.missing += sum((wanted - Counter(happened)).values())
    _judge_state(room, room.parts.agent.memory, verdict, model)


def _happened(decision: Decision) -> list[tuple[str, str]]:
    """Everything of this cycle that only a command brings about, with the command's id."""
    lines = [(str(line.body.get("source")), "line") for line in decision.records if line.kind in _OF_PEOPLE]
    events = [(event.source or "nobody", event.kind.value) for event in decision.events]
    requests = [
        (request.command.cmd_id, "request" if isinstance(request, Identify | Resend) else type(request).__name__)
        for request in decision.requests
        if not isinstance(request, ChangeModel)  # judged by what is on the disk
    ]
    people = [(found.alarm.name, "alarm") for found in decision.transitions if found.who != "agent"]
    return [*lines, *events, *requests, *people]


def _judge_state(room: Room, memory: Any, verdict: Verdict, model: Model) -> None:
    """The memory, against the model: limits, tare, zero, calibration, reload."""
    scale = memory.scales[SHELF]
    state = {
        "limits": dict(memory.limits.get(PLACE, {})),
        "tare_g": scale.tare_g,
        "zero_g": scale.zero_g,
        "calibrating": dict(memory.calibrating),
        "reload": room.parts.agent.reload_asked,
        "models": sorted(Path(room.parts.settings.storage.directory, FOLDER).glob("*/*.model")),
    }
    right = {"limits": model.limits, "tare_g": model.tare_g, "zero_g": 0.0, "calibrating": {}, "reload": False}
    right["models"] = []
    for name, value in state.items():
        if value != right[name]:
            verdict.unauthorised += 1
            verdict.example(f"unauthorised: {name} is {value!r}, should be {right[name]!r}")


def _restart(room: Room, verdict: Verdict, model: Model) -> None:
    """What the disk holds is what the model says, and what is sent again after the restart is still known."""
    verdict.restarts += 1
    _judge_state(room, from_rows(room.parts.store.memory()), verdict, model)
    room.stop()
    room.start()
    _judge_state(room, room.parts.agent.memory, verdict, model)
