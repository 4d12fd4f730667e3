"""The agent as it is, with every shipped model open in a thread beside it and asked once a second."""

import sys
import threading
from pathlib import Path

from edge_agent.cli.main import main
from edge_agent.config import load_apart
from edge_agent.service.models import models_of

EVERY_S = 1.0
ROWS = 64


def _ask(config: Path, stop: threading.Event) -> None:
    settings = load_apart(config)
    models = models_of(settings.models, Path(settings.storage.directory))
    names = [known.name for known in models.known()]
    while not stop.wait(EVERY_S):
        for name in names:
            model = models.use(name).model
            if model is not None:
                model.predict((model.card.check.inputs * ROWS)[:ROWS])


if __name__ == "__main__":
    ended = threading.Event()
    threading.Thread(target=_ask, args=(Path(sys.argv[1]), ended), daemon=True).start()
    code = main(["run", "--config", sys.argv[1]])
    ended.set()
    sys.exit(code)
