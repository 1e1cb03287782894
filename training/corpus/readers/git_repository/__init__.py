"""A git repository's commits, read without git: nothing of its configuration is ever run."""
