"""The one dial: a size and a budget in place of a dozen settings."""
