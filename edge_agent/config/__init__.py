"""From one TOML file to settings, or to every fault in it at once."""

from edge_agent.config.apart import load_apart
from edge_agent.config.document import check, load
from edge_agent.config.faults import ConfigError, ConfigFault
from edge_agent.config.settings import Settings

__all__ = ["ConfigError", "ConfigFault", "Settings", "check", "load", "load_apart"]
