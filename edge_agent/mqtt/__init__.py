"""Topics, payloads, and the one connection to the broker. Only messages.py knows topics and JSON."""
