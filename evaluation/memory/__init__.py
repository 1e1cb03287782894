"""How far a model should trust the workspace's own code: examples, and a gate fitted to them."""
