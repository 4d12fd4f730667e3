"""From counts to gross, tare and net grams. Pure."""
