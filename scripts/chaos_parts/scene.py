"""One act of a campaign: a broker, a consumer, the whole agent, and the comparison at the end."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos_parts.children import Agent, CampaignError, Mosquitto, comes_true, free_port
from chaos_parts.committed import Committed
from chaos_parts.figures import Figure
from chaos_parts.judge import Verdict, judge
from chaos_parts.people import Staff
from chaos_parts.rig import Rig
from chaos_parts.witness import Heard, Witness

Say = Callable[[str], None]
Act = Callable[..., list[Figure]]
CATCH_UP_S = 120.0


@dataclass(slots=True)
class Scene:
    folder: Path
    rig: Rig
    broker: Mosquitto
    witness: Witness
    staff: Staff
    shopkeepers: Staff | None = None  # who ask for what has to do with goods
    committed: Committed = field(default_factory=Committed)
    agent: Agent | None = None
    tracebacks: int = 0
    exit_codes: list[int] = field(default_factory=list)

    def start_agent(self) -> Agent:
        self.agent = Agent(self.rig.config_file, self.folder / f"agent-{len(self.exit_codes)}.log")
        self.agent.wait_until_ready()
        return self.agent

    def stop_agent(self) -> None:
        """Cleanly; then what it left in its file is looked at."""
        assert self.agent is not None
        self.exit_codes.append(self.agent.stop())
        self.tracebacks += self.agent.tracebacks
        self.committed.look(self.rig.state_folder)
        self.agent = None

    def lose_agent(self) -> None:
        """Without a chance to tidy up."""
        assert self.agent is not None
        self.tracebacks += self.agent.tracebacks
        self.exit_codes.append(-9)
        self.agent.kill()
        self.agent = None

    def arrived(self) -> bool:
        return self.committed.rows.keys() <= self.witness.identities()

    def catch_up(self, timeout_s: float = CATCH_UP_S) -> float:
        """Until only what was committed within the last second is still on its way; seconds it took."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < timeout_s:
            self.committed.look_at_running(self.rig.state_folder)
            looked_s = time.monotonic()
            if comes_true(self.arrived, timeout_s) and time.monotonic() - looked_s < 1.0:
                break
        return time.monotonic() - began_s

    def finish(self, unknown: str = "") -> Verdict:
        """A clean stop, and the judgement. Nobody knows what was committed last in the epoch ``unknown``."""
        self.staff.rest()
        if self.shopkeepers is not None:
            self.shopkeepers.rest()
        self.stop_agent()
        comes_true(self.arrived, 5)  # what is still between broker and consumer
        verdict = judge(self.committed.rows, self.witness.arrivals(), self.witness.passed_on, self.witness.asked())
        return replace(
            verdict,
            phantoms=[found for found in verdict.phantoms if found.epoch != unknown],
            gaps=[found for found in verdict.gaps if found.epoch != unknown],
        )

    def backlog(self, since: int) -> list[Heard]:
        return [heard for heard in self.witness.heard("hist/", since) if heard.body["records"]]

    def live(self, since: int) -> list[Heard]:
        return [heard for heard in self.witness.heard("telemetry/", since) if not heard.is_retained]

    def live_after(self, mono_s: float) -> bool:
        """A live reading that was taken after that instant."""
        return any(heard.body["mono_ms"] > 1000 * mono_s for heard in self.live(0)[-20:])

    def heard_alarm(self, name: str, state: str) -> bool:
        return any(heard.body["state"] == state for heard in self.witness.heard(f"alarm/{name}"))

    def heard_fault(self, words: str) -> bool:
        """Among the faults that the health message lists."""
        return any(words in fault for heard in self.witness.heard("health") for fault in heard.body["faults"])

    def close(self) -> None:
        self.staff.stop()
        if self.shopkeepers is not None:
            self.shopkeepers.stop()
        if self.agent is not None:
            self.agent.kill()
        self.witness.stop()
        self.broker.stop()


@contextmanager
def scene(
    folder: Path,
    lines: Sequence[str] = ("allow_anonymous true",),
    *,
    rig: Rig | None = None,
    prepare: Callable[[], None] = lambda: None,
    asks: bool = True,
    seed: int = 1,
) -> Iterator[Scene]:
    """A broker with these lines in its configuration, a witness who listens; the agent is started by the act.

    ``prepare`` is called when the folder is there; a rig without a port gets the broker's.
    """
    folder.mkdir(parents=True)
    prepare()
    port = free_port()
    broker = Mosquitto(folder / "broker", port, lines)
    rig = rig or Rig(folder, 0)
    rig = replace(rig, port=rig.port or port)
    rig.write()
    witness = Witness(port, asks=asks)
    found = Scene(folder, rig, broker, witness, Staff(port, witness, seed))
    try:
        broker.start()
        witness.start()
        yield found
    finally:
        found.close()


def perform(acts: Mapping[str, Act], only: str | None, run: Callable[[str, Act], list[Figure]]) -> list[Figure]:
    """All acts, or the one of that name. One that could not do its thing is a goal missed, and the others go on."""
    if only is not None and only not in acts:
        raise CampaignError(f"--only {only}: must be one of {', '.join(acts)}")
    figures: list[Figure] = []
    for name, act in acts.items():
        if only in (None, name):
            try:
                figures += run(name, act)
            except CampaignError as error:
                figures.append(Figure(f"{name}: {error}", "no", "", "could be tried"))
    return figures


def verdict_figures(name: str, verdict: Verdict, *, at_least: int) -> list[Figure]:
    prefix = f"{name}: " if name else ""
    return [
        Figure(f"{prefix}rows accepted", verdict.accepted, "rows", f">= {at_least}"),
        Figure(f"{prefix}accepted rows lost", len(verdict.lost), "rows", "0"),
        Figure(f"{prefix}accepted rows altered", len(verdict.altered), "rows", "0"),
        Figure(f"{prefix}rows told and never committed", len(verdict.phantoms), "rows", "0"),
        Figure(f"{prefix}sequence gaps", len(verdict.gaps), "numbers", "0"),
        Figure(f"{prefix}order inversions, live", verdict.inversions["live"], "rows", "0"),
        Figure(f"{prefix}order inversions, backlog", verdict.inversions["hist"], "rows", "0"),
        Figure(f"{prefix}duplicates before de-duplication", verdict.raw_duplicates, "rows"),
        Figure(f"{prefix}duplicates after de-duplication", verdict.residual_duplicates, "rows", "0"),
    ]


def life_figures(name: str, found: Scene) -> list[Figure]:
    return [
        Figure(f"{name}: rows the consumer had to ask for", len(found.witness.asked()), "rows"),
        Figure(f"{name}: messages the consumer could not read", found.witness.unreadable, "messages", "0"),
        Figure(f"{name}: last clean stop, exit code", found.exit_codes[-1], "", "0"),
        Figure(f"{name}: unhandled errors in the log", found.tracebacks, "tracebacks", "0"),
    ]
