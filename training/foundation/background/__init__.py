"""Work that nobody waits for: at the lowest priority, and never without its parent."""
