"""Build, workers, cycle, schedule and run: the only room that starts threads."""
