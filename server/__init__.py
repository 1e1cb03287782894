"""Serves a trained model's completions as ghost text over the Language Server Protocol."""
