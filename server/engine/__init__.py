"""Ids in, ids out: the model's forward pass, its caches, and the choice of each next token."""
