"""What is private by its name."""
