"""What the user's other files contribute: imported modules and similar snippets."""
