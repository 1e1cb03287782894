"""What a model gains after it was trained."""
