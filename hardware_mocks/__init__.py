"""Chips that behave as their datasheets say, the storeroom around them, and the player of recorded traces."""
