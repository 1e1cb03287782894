"""The sandbox's four kinds of process, and what the supervisor uses to watch programs."""
