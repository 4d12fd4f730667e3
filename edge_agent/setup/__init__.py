"""What a person needs before the agent runs, and when it does not: find chips, configure, calibrate, examine."""
