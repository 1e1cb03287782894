"""Models side by side on the same prompts, and two pass@k runs problem by problem."""
