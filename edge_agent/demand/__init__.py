"""How much will be asked for: simple methods, the global model, and what a shop teaches them."""
