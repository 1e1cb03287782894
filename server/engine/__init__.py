"""Ids in, ids out: the model's forward pass, its cache, and the choice of each next token."""
