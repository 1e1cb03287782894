"""Many samples of one prompt at once: a cache that shares the prompt, and sampling by rows."""
