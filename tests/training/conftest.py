"""The training's own modules: they lie beside one another, and are not installed."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "models" / "training"))
