"""One cycle: memory, settings, readings and commands in; a decision out. Pure."""
