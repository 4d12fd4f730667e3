"""Watch a storeroom: read sensors, weigh stock, keep every reading, warn, and tell the broker."""

__version__ = "0.1.0"
