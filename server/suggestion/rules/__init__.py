"""Rules that trim, repair or drop what the model generated, each with a name."""
