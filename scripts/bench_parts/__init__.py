"""Measurements of the whole agent and of its rooms, each against the figure it must reach."""
