"""Selection: what is kept of the corpus as a whole, and which split each document belongs to."""
