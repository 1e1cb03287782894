"""What the processes of one training have in common: allocator, collective decisions, endings."""
