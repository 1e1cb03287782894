"""Who writes a suggestion: the model on this machine, or a server elsewhere."""
