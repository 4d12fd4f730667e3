"""One cycle: memory, plan, readings and commands in; a decision out. Pure."""

from edge_agent.decide.cycle import decide
from edge_agent.decide.memory import Memory
from edge_agent.decide.models import ChangeModel
from edge_agent.decide.nouns import Calibrated, Decision, Gathered, Identify, Plan, Reload, Request, Resend, SensorPlan

__all__ = [
    "Calibrated",
    "ChangeModel",
    "Decision",
    "Gathered",
    "Identify",
    "Memory",
    "Plan",
    "Reload",
    "Request",
    "Resend",
    "SensorPlan",
    "decide",
]
