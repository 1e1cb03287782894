"""The files of a workspace: found, read without secrets, and remembered as tokens."""
