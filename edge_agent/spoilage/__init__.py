"""How goods age: product temperature, kinetics, growth, water loss, and the net above the physics, guarded."""
