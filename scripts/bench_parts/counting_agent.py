"""``edge-agent run`` that says at its end how many good samples its sensors gave.

python -m bench_parts.counting_agent CONFIG
"""

import logging
import signal
import sys
import threading
from pathlib import Path

from edge_agent.config import load_apart
from edge_agent.decide import Decision
from edge_agent.domain.instant import Instant
from edge_agent.service.main import serve

SAID = "good samples: "


def main() -> int:
    config, stop = Path(sys.argv[1]), threading.Event()
    good: dict[str, int] = {}

    def count(decision: Decision, _now: Instant) -> None:
        good.update((name, health.good) for name, health in decision.memory.sensors.items())

    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    serve(lambda: load_apart(config), stop, on_cycle=count)
    print(f"{SAID}{sum(good.values())}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
