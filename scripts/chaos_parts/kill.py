"""The whole agent killed again and again, at any moment of its life, while a consumer stays subscribed.

Scales are tared and counted, goods come and go, sales are imported, nights are learnt and models change meanwhile.
"""

import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from chaos_parts import goods, set_clock_board
from chaos_parts.children import Agent, CampaignError, Mosquitto, comes_true, free_port
from chaos_parts.committed import Committed
from chaos_parts.figures import Figure
from chaos_parts.judge import judge
from chaos_parts.people import Staff
from chaos_parts.rig import Rig
from chaos_parts.scene import Say, verdict_figures
from chaos_parts.shop import Shop
from chaos_parts.witness import Witness
from edge_agent.domain.stock import SAFE_CONFIDENCE

DRAIN_S = 90.0
COMMAND_S = 60.0  # at most: a night's work on a loaded machine among them
ROWS_A_KILL = 10  # on average at least so many accepted rows, or the campaign tried nothing
SCALE_VERBS = ("tare", "zero", "count")


@dataclass(frozen=True, slots=True)
class Life:
    """How long an agent may live: ``phase`` start, run, night or stop; the kill comes ``delay_s`` into it.

    Of a night ``delay_s`` is a share of what its work takes, as far as the nights before have shown.
    """

    phase: str
    delay_s: float
    run_s: float = 0.0  # before the stop is asked for


def lives(random: Random) -> Iterator[Life]:
    """Without end; the first four hit each phase once."""
    yield _life("run", random)
    yield _life("start", random)
    yield _life("stop", random)
    yield _life("night", random)
    while True:
        yield _life(random.choices(("start", "run", "long", "night", "stop"), (15, 30, 15, 25, 15))[0], random)


def _life(phase: str, random: Random) -> Life:
    if phase == "start":
        return Life(phase, random.uniform(0.0, 1.5))  # from the spawn: imports, opening, recovery, first commits
    if phase == "run":
        return Life(phase, random.uniform(0.0, 1.2))  # from the first commit
    if phase == "long":
        return Life("run", random.uniform(1.2, 9.0))  # long enough for the scale with the slow set-up, and for an event
    if phase == "night":
        return Life(phase, random.uniform(0.2, 1.4))
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


@dataclass(slots=True)
class Stage:
    """Everything that is outside the agent."""

    rig: Rig
    broker: Mosquitto
    witness: Witness
    staff: Staff  # of the scales
    shop: Shop
    committed: Committed = field(default_factory=Committed)
    toll: Toll = field(default_factory=Toll)

    def new_agent(self) -> Agent:
        return Agent(self.rig.config_file, self.rig.folder / "agent.log")

    def has_seen_all(self, log: str) -> bool:
        """Something of everything: else a short campaign tried nothing."""
        has_lives = bool(self.witness.heard("shelflife/"))
        return has_lives and "done" in self.staff.codes() and self.shop.has_seen_all(log)

    def look(self, agent: Agent, *, whole: bool = False) -> None:
        """At what an agent that has ended left behind."""
        self.toll.tracebacks += agent.tracebacks
        self.toll.had_rows += self.committed.look(self.rig.state_folder, whole=whole) > 0
        _check_scales(self.committed, self.toll)
        self.shop.look(self.committed)


def campaign(args: Namespace, say: Say) -> list[Figure]:
    """``args``: times, seed."""
    began_s, times = time.monotonic(), args.times
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="chaos-kill-")))
        ending.enter_context(set_clock_board.lent(folder / "path"))
        stage = _stage(folder, args.seed, ending)
        _open_shop(stage)
        _kill(stage, times, args.seed, say)
        exit_code = _drain(stage)
    verdict = judge(stage.committed.rows, stage.witness.arrivals(), stage.witness.passed_on)
    return [
        *_toll_figures(stage.toll, times, exit_code),
        *verdict_figures("", verdict, at_least=ROWS_A_KILL * times),
        Figure("accepted rows gone or changed in the file", stage.committed.broken, "rows", "0"),
        Figure("messages the consumer could not read", stage.witness.unreadable, "messages", "0"),
        *_ledger_figures(stage),
        *_scale_figures(stage.toll),
        *stage.shop.figures(stage.committed, times),
        Figure("duration", round((time.monotonic() - began_s) / 60, 1), "min"),
    ]


def _stage(folder: Path, seed: int, ending: ExitStack) -> Stage:
    broker = Mosquitto(folder / "broker", free_port())
    broker.start()
    ending.callback(broker.stop)
    hands = folder / "hands.json"
    rig = Rig(folder, broker.port, board=goods.board(hands), board_kind=set_clock_board.KIND)
    witness = Witness(broker.port, asks=False)
    witness.start()
    ending.callback(witness.stop)
    staff = Staff(broker.port, witness, seed)
    ending.callback(staff.stop)
    grocer = goods.Grocer(hands, Random(seed + 1))
    keepers = Staff(broker.port, witness, seed + 2, grocer.wish)
    ending.callback(keepers.stop)
    shop = Shop(rig, goods.noon_zone(datetime.now(UTC)), keepers, Random(seed + 3))
    return Stage(rig, broker, witness, staff, shop)


def _open_shop(stage: Stage) -> None:
    """One life in peace, so that there is a file for the till; nothing in it is killed, nothing of it counts."""
    stage.shop.write_rig()
    agent = stage.new_agent()
    try:
        agent.wait_until_ready()
        agent.stop()
    finally:
        agent.kill()
    stage.shop.open()
    stage.committed.look(stage.rig.state_folder)
    stage.staff.start()
    stage.shop.staff.start()


# --- killing --------------------------------------------------------------------------------------------------------


def _kill(stage: Stage, times: int, seed: int, say: Say) -> None:
    toll = stage.toll
    ahead = lives(Random(seed))
    life = next(ahead)
    while toll.total < times:
        stage.shop.before_life(stage.committed, is_night=life.phase == "night")
        agent = stage.new_agent()
        try:
            if _live(agent, life, stage.shop):
                toll.kills[life.phase] += 1
                life = next(ahead)
            else:
                toll.clean_stops += 1
                life = replace(life, delay_s=life.delay_s / 2)  # the same again, until the kill comes in time
        finally:
            agent.kill()
            stage.shop.after_life()
        stage.look(agent)
        if toll.total % 10 == 0 or toll.total == times:
            say(f"kill {toll.total} of {times}: {len(stage.committed.rows)} rows accepted; {stage.shop.told()}")


def _live(agent: Agent, life: Life, shop: Shop) -> bool:
    """True when the kill found a running process."""
    if life.phase != "start":
        agent.wait_until_ready()
        shop.import_sales()
    wait_s = life.delay_s * shop.night_s if life.phase == "night" else life.delay_s
    time.sleep(life.run_s if life.phase == "stop" else wait_s)
    if life.phase == "stop":
        agent.ask_to_stop()
        time.sleep(life.delay_s)
    elif not agent.is_running:
        raise CampaignError(f"the agent ended before it was killed:\n{agent.log()[-2000:]}")
    return agent.kill()


def _drain(stage: Stage) -> int:
    """A last life in peace: all that was ever accepted must arrive, then a clean stop. Answers its exit code."""
    committed, witness = stage.committed, stage.witness
    stage.shop.before_life(committed, is_night=True)
    agent = stage.new_agent()
    try:
        agent.wait_until_ready()
        comes_true(lambda: committed.rows.keys() <= witness.identities(), DRAIN_S)
        # Not every short campaign lives long enough for these.
        comes_true(lambda: stage.has_seen_all(agent.log()), COMMAND_S)
        stage.staff.rest()
        stage.shop.staff.rest()
        exit_code = agent.stop()
        stage.toll.last_stop_s = agent.stop_took_s
    finally:
        agent.kill()
        stage.shop.after_life()
    stage.look(agent, whole=True)
    comes_true(lambda: committed.rows.keys() <= witness.identities(), 5)  # what is still between broker and consumer
    return exit_code


# --- what a tare is worth -------------------------------------------------------------------------------------------


def _check_scales(committed: Committed, toll: Toll) -> None:
    """The memory in the file must be what the last answered command made of it."""
    for shelf, detail in _last_details(committed).items():
        state, pieces = committed.remembered(f"scale/{shelf}"), committed.remembered(f"pieces/{shelf}")
        toll.scale_checks += 1
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
    return {body["detail"]["shelf"]: body["detail"] for body in _done(committed)}


def _done(committed: Committed) -> list[Mapping[str, Any]]:
    """The answers to those who asked for something of a scale, and got it."""
    return [body for body in committed.of_stream("rsp") if body["code"] == "done" and body["verb"] in SCALE_VERBS]


def _told_tares(committed: Committed) -> tuple[int, int]:
    """Stock messages, and those of them that told another tare than the one in force."""
    happened = [(body["mono_ms"], 0, body["detail"]) for body in _done(committed)]
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
    phases = [
        Figure(f"kills, {phase}", toll.kills[phase], "kills", ">= 1") for phase in ("start", "run", "night", "stop")
    ]
    return [
        Figure("kills that hit a running agent", toll.total, "kills", str(times)),
        *phases,
        Figure("kills after new commits", toll.had_rows, "kills", f">= {times // 2}"),
        Figure("stops quicker than their kill", toll.clean_stops, "stops"),
        Figure("last clean stop, exit code", exit_code, "", "0"),
        Figure("last clean stop, time", round(toll.last_stop_s, 2), "s", "<= 5"),
        Figure("unhandled errors in the log", toll.tracebacks, "tracebacks", "0"),
    ]


def _ledger_figures(stage: Stage) -> list[Figure]:
    committed, answers = stage.committed, stage.staff.answers()
    told = Counter(body["source"] for body in _bodies_told(stage.witness, "event") if "source" in body)
    kept = Counter(body["source"] for body in committed.of_stream("event") if "source" in body)
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
        Figure("stock events that people asked for", kept.total(), "events", ">= 1"),
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
    asked = {body["source"] for body in committed.of_stream("event") if "source" in body}
    return asked - {body["cmd_id"] for body in _done(committed)}


def _scale_figures(toll: Toll) -> list[Figure]:
    return [
        Figure("tare, zero and count looked at after a kill", toll.scale_checks, "times", ">= 1"),
        Figure("tare, zero or count forgotten", toll.wrong_scales, "times", "0"),
    ]
