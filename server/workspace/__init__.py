"""What is known of the workspace besides the document at hand: its modules, and open files."""
