"""The isolation levels: for each, the command that starts a sandbox, and how they rank."""
