"""The sandbox's four kinds of process, and what the supervisor needs to watch programs."""
