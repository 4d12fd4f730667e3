"""The agent in the night of a shop, and what it needed: a child of the forecast bench, which brings nothing of its own.

  python -m bench_parts.forecast_agent FOLDER night       learns, forecasts, tells; the work goes to the disk
  python -m bench_parts.forecast_agent FOLDER forecast    forecasts by what was learnt

FOLDER holds agent.toml and sales up to the day before the night. The work is done in the thinker's thread, which has
opened both models before, as it does in real life.
"""

import json
import resource
import sys
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from edge_agent.config import load_apart
from edge_agent.mqtt import messages
from edge_agent.mqtt.connection import MqttConnection
from edge_agent.service.build import Parts, build, open_board
from edge_agent.service.demand import TASK, DemandJob, Night, forecasts_of, learnt_before, read_days
from edge_agent.service.routine import Routine, demand_places
from edge_agent.service.spare_ram import give_back, give_back_large
from edge_agent.service.thinker import Thought

HOUR_S = 3600.0
LOOK_S = 0.05
_RESET_PEAK = "5"  # proc(5), clear_refs: the peak counts from now on


def measured(folder: Path, made: date, *, learns: bool) -> dict[str, Any]:
    settings = load_apart(folder / "agent.toml")
    board = open_board(settings)
    with board.driving():
        board.clock.synchronise(datetime.combine(made, datetime.min.time(), UTC).timestamp() + HOUR_S)
        parts = build(settings, board, lambda identity, watch: MqttConnection(settings.mqtt, identity, watch.now))
        routine = Routine(parts)
        routine.thinker.start()
        names = [known.name for known in parts.models.opened().known()]
        routine.thinker.ask("models", lambda: [parts.models.use(name).reason for name in names])
        reasons = _answer(routine).result
        if reasons != [""] * len(names):
            raise SystemExit(f"forecast: the models {', '.join(names)} do not open: {reasons}")
        before_mib = rss_mib()
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
        done = _night(parts, routine) if learns else _forecasts(parts, routine, made)
        parts.close()
    return {
        "products": len(done.forecasts),
        "forecast_s": round(done.forecast_s, 2),
        "learn_s": round(done.learn_s, 1),
        "before_mib": round(before_mib, 1),
        "peak_mib": round(peak_mib(), 1),
    }


def _night(parts: Parts, routine: Routine) -> Night:
    """With what the routine does of it: every forecast is told, and what was learnt is kept."""
    job, now = DemandJob(demand_places(parts), routine.thinker), parts.watch.now()
    job.look(now)
    thought = _answer(routine)
    done = job.take(thought, now)
    if done is None:
        raise SystemExit(f"forecast: the night's work was not done: {thought.error}")
    parts.keeper.add(now, messages=list(map(messages.forecast, done.forecasts)), rows=done.rows)
    parts.agent.flush(now)
    return done


def _forecasts(parts: Parts, routine: Routine, made: date) -> Night:
    places, now = demand_places(parts), parts.watch.now()

    def task() -> Night:
        give_back_large()
        state, fault = learnt_before(places.store.memory())
        if state is None:
            raise ValueError(f"nothing was learnt: {fault}")
        found = read_days(places, made, now.wall_ms)
        give_back()
        begun_s = time.monotonic()
        forecasts = forecasts_of(found, places.model().model, state, now)
        return Night(made, forecasts, {}, forecast_s=time.monotonic() - begun_s)

    routine.thinker.ask(TASK, task)
    thought = _answer(routine)
    if not isinstance(thought.result, Night):
        raise SystemExit(f"forecast: no forecasts: {thought.error}")
    return thought.result


def _answer(routine: Routine) -> Thought:
    pause = threading.Event()
    while True:
        for thought in routine.thinker.take():
            return thought
        pause.wait(LOOK_S)


def rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def peak_mib() -> float:
    """Since it was reset. What `getrusage` tells counts the parent's memory at the start as well."""
    (kib,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line[:6] == "VmHWM:")
    return int(kib) / 1024


if __name__ == "__main__":
    folder, made, what = sys.argv[1:]
    print(json.dumps(measured(Path(folder), date.fromisoformat(made), learns=what == "night")))
