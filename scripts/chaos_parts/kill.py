"""The whole agent killed again and again, at any moment of its life, while a consumer stays subscribed."""

import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from chaos_parts.children import Agent, CampaignError, Mosquitto, comes_true, free_port
from chaos_parts.committed import Committed
from chaos_parts.figures import Figure
from chaos_parts.judge import judge
from chaos_parts.people import Staff
from chaos_parts.rig import Rig
from chaos_parts.scene import Say, verdict_figures
from chaos_parts.witness import Witness
from edge_agent.domain.stock import SAFE_CONFIDENCE

DRAIN_S = 90.0
COMMAND_S = 15.0
ROWS_A_KILL = 10  # on average at least so many accepted rows, or the campaign tried nothing


@dataclass(frozen=True, slots=True)
class Life:
    """How long an agent may live: ``phase`` start, run or stop; the kill comes ``delay_s`` into it."""

    phase: str
    delay_s: float
    run_s: float = 0.0  # before the stop is asked for


def lives(random: Random) -> Iterator[Life]:
    """Without end; the first three hit each phase once."""
    yield _life("run", random)
    yield _life("start", random)
    yield _life("stop", random)
    while True:
        yield _life(random.choices(("start", "run", "long", "stop"), (20, 40, 20, 20))[0], random)


def _life(phase: str, random: Random) -> Life:
    if phase == "start":
        return Life(phase, random.uniform(0.0, 1.5))  # from the spawn: imports, opening, recovery, first commits
    if phase == "run":
        return Life(phase, random.uniform(0.0, 1.2))  # from the first commit
    if phase == "long":
        return Life("run", random.uniform(1.2, 3.5))  # long enough for the scale with the slow set-up
    return Life(phase, random.uniform(0.0, 1.6), run_s=random.uniform(0.2, 1.0))  # a stop takes 0.3 to 1.4 s


@dataclass(slots=True)
class Toll:
    """What the kills hit."""

    kills: Counter[str] = field(default_factory=Counter)  # by phase
    last_stop_s: float = 0.0
    clean_stops: int = 0  # the stop was quicker than the kill
    had_rows: int = 0  # kills after which there were rows nobody had seen committed before
    scale_checks: int = 0
    wrong_scales: int = 0
    tracebacks: int = 0

    @property
    def total(self) -> int:
        return self.kills.total()


def campaign(args: Namespace, say: Say) -> list[Figure]:
    """``args``: times, seed."""
    began_s, times, seed = time.monotonic(), args.times, args.seed
    with tempfile.TemporaryDirectory(prefix="chaos-kill-") as name:
        folder = Path(name)
        broker = Mosquitto(folder / "broker", free_port())
        broker.start()
        witness = Witness(broker.port, asks=False)
        staff = Staff(broker.port, witness, seed)
        try:
            witness.start()
            staff.start()
            rig = Rig(folder, broker.port)
            rig.write()
            committed = Committed()
            toll = _kill(rig, committed, times, seed, say)
            exit_code = _drain(rig, committed, witness, staff, toll)
        finally:
            staff.stop()
            witness.stop()
            broker.stop()
    asked = staff.answers()
    verdict = judge(committed.rows, witness.arrivals(), witness.passed_on)
    return [
        *_toll_figures(toll, times, exit_code),
        *verdict_figures("", verdict, at_least=ROWS_A_KILL * times),
        Figure("accepted rows gone or changed in the file", committed.broken, "rows", "0"),
        Figure("messages the consumer could not read", witness.unreadable, "messages", "0"),
        *_ledger_figures(committed, witness, asked),
        *_scale_figures(toll),
        Figure("duration", round((time.monotonic() - began_s) / 60, 1), "min"),
    ]


# --- killing --------------------------------------------------------------------------------------------------------


def _kill(rig: Rig, committed: Committed, times: int, seed: int, say: Say) -> Toll:
    toll = Toll()
    ahead = lives(Random(seed))
    life = next(ahead)
    while toll.total < times:
        agent = Agent(rig.config_file, rig.folder / "agent.log")
        try:
            if _live(agent, life):
                toll.kills[life.phase] += 1
                life = next(ahead)
            else:
                toll.clean_stops += 1
                life = replace(life, delay_s=life.delay_s / 2)  # the same again, until the kill comes in time
        finally:
            agent.kill()
        toll.tracebacks += agent.tracebacks
        toll.had_rows += committed.look(rig.state_folder) > 0
        _check_scales(committed, toll)
        if toll.total % 10 == 0 or toll.total == times:
            say(f"kill {toll.total} of {times}: {len(committed.rows)} rows accepted")
    return toll


def _live(agent: Agent, life: Life) -> bool:
    """True when the kill found a running process."""
    if life.phase != "start":
        agent.wait_until_ready()
    time.sleep(life.run_s if life.phase == "stop" else life.delay_s)
    if life.phase == "stop":
        agent.ask_to_stop()
        time.sleep(life.delay_s)
    elif not agent.is_running:
        raise CampaignError(f"the agent ended before it was killed:\n{agent.log()[-2000:]}")
    return agent.kill()


def _drain(rig: Rig, committed: Committed, witness: Witness, staff: Staff, toll: Toll) -> int:
    """A last life in peace: all that was ever accepted must arrive, then a clean stop. Answers its exit code."""
    agent = Agent(rig.config_file, rig.folder / "agent.log")
    try:
        agent.wait_until_ready()
        comes_true(lambda: committed.rows.keys() <= witness.identities(), DRAIN_S)
        comes_true(lambda: "done" in staff.codes(), COMMAND_S)  # not every short campaign lives long enough for one
        staff.rest()
        exit_code = agent.stop()
        toll.last_stop_s = agent.stop_took_s
    finally:
        agent.kill()
    toll.tracebacks += agent.tracebacks
    committed.look(rig.state_folder, whole=True)
    _check_scales(committed, toll)
    comes_true(lambda: committed.rows.keys() <= witness.identities(), 5)  # what is still between broker and consumer
    return exit_code


# --- what a tare is worth -------------------------------------------------------------------------------------------


def _check_scales(committed: Committed, toll: Toll) -> None:
    """The memory in the file must be what the last answered command made of it."""
    for shelf, detail in _last_details(committed).items():
        state = committed.memory.get(f"scale/{shelf}")
        toll.scale_checks += 1
        pieces = committed.memory.get(f"pieces/{shelf}")
        is_right = (
            state is not None
            and pieces is not None
            and (round(state.get("tare_g", 0.0), 3), round(state.get("zero_g", 0.0), 3), _units(pieces))
            == (detail["tare_g"], detail["zero_g"], detail["units"])
        )
        toll.wrong_scales += not is_right


def _units(pieces: Mapping[str, Any]) -> int | None:
    """The number of pieces that the row stands for, where it is safe."""
    guesses = pieces.get("guesses", ())
    return guesses[0]["units"] if guesses and guesses[0]["probability"] >= SAFE_CONFIDENCE else None


def _last_details(committed: Committed) -> Mapping[str, Mapping[str, Any]]:
    done = [body for body in committed.of_stream("rsp") if body["code"] == "done"]
    return {body["detail"]["shelf"]: body["detail"] for body in done}


def _told_tares(committed: Committed) -> tuple[int, int]:
    """Stock messages, and those of them that told another tare than the one in force."""
    happened = [(body["mono_ms"], 0, body["detail"]) for body in committed.of_stream("rsp") if body["code"] == "done"]
    happened += [(body["mono_ms"], 1, body) for body in committed.of_stream("stock")]
    tares: dict[str, float] = {}
    wrong = stocks = 0
    for _, kind, found in sorted(happened, key=lambda item: item[:2]):
        if kind == 0:
            tares[found["shelf"]] = found["tare_g"]
        else:
            stocks += 1
            wrong += round(found["tare_g"], 3) != tares.get(found["shelf"], 0)
    return stocks, wrong


# --- figures --------------------------------------------------------------------------------------------------------


def _toll_figures(toll: Toll, times: int, exit_code: int) -> list[Figure]:
    phases = [Figure(f"kills, {phase}", toll.kills[phase], "kills", ">= 1") for phase in ("start", "run", "stop")]
    return [
        Figure("kills that hit a running agent", toll.total, "kills", str(times)),
        *phases,
        Figure("kills after new commits", toll.had_rows, "kills", f">= {times // 2}"),
        Figure("stops quicker than their kill", toll.clean_stops, "stops"),
        Figure("last clean stop, exit code", exit_code, "", "0"),
        Figure("last clean stop, time", round(toll.last_stop_s, 2), "s", "<= 5"),
        Figure("unhandled errors in the log", toll.tracebacks, "tracebacks", "0"),
    ]


def _ledger_figures(committed: Committed, witness: Witness, answers: Mapping[str, Sequence[str]]) -> list[Figure]:
    told = Counter(body["source"] for body in _bodies_told(witness, "event"))
    kept = Counter(body["source"] for body in committed.of_stream("event"))
    done = {cmd_id for cmd_id, codes in answers.items() if "done" in codes}
    stored = {body["cmd_id"] for body in committed.of_stream("rsp")}
    doubles = {cmd_id for cmd_id, codes in answers.items() if "duplicate" in codes}
    stocks, wrong = _told_tares(committed)
    some = (">= 1",) if len(answers) >= 50 else ()
    return [
        Figure("commands answered", len(answers), "commands", ">= 1"),
        Figure("commands done", len(done), "commands", ">= 1"),
        Figure("commands sent again and told as duplicates", len(doubles), "commands", *some),
        Figure("answers heard and not kept", len(answers.keys() - stored), "answers", "0"),
        Figure("stock events", kept.total(), "events", ">= 1"),
        Figure("stock events doubled", _doubled(kept) + _doubled(told), "events", "0"),
        Figure("commands done without their event", len(done - told.keys()), "commands", "0"),
        Figure("events never answered as done", len(_unanswered(committed)), "events", "0"),
        Figure("stock messages with a wrong tare", wrong, f"of {stocks}", "0"),
    ]


def _bodies_told(witness: Witness, stream: str) -> Iterator[Mapping[str, Any]]:
    """Each record once."""
    seen = set()
    for heard in witness.heard():
        if heard.body.get("stream") != stream:
            continue
        for record in heard.body.get("records", [heard.body]):
            if record["seq"] not in seen:
                seen.add(record["seq"])
                yield record


def _doubled(sources: Counter[str]) -> int:
    return sum(times - 1 for times in sources.values())


def _unanswered(committed: Committed) -> set[str]:
    done = {body["cmd_id"] for body in committed.of_stream("rsp") if body["code"] == "done"}
    return {body["source"] for body in committed.of_stream("event")} - done


def _scale_figures(toll: Toll) -> list[Figure]:
    return [
        Figure("tare, zero and count looked at after a kill", toll.scale_checks, "times", ">= 1"),
        Figure("tare, zero or count forgotten", toll.wrong_scales, "times", "0"),
    ]
