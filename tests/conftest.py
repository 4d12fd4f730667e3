"""For all tests."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.append(str(Path(__file__).parent / "inference"))  # model_files: bundles of the tiny model, for several rooms

# An example's time says how busy the machine is; what is too slow is seen by scripts/bench.
settings.register_profile("edge-agent", deadline=None)
settings.load_profile("edge-agent")
