"""For all tests."""

from hypothesis import settings

# An example's time says how busy the machine is; what is too slow is seen by scripts/bench.
settings.register_profile("edge-agent", deadline=None)
settings.load_profile("edge-agent")
