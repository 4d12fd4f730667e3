"""Which lots lie where, and which of them a pick takes: first expired, first out."""
