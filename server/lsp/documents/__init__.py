"""The text of open documents: edits, positions in every encoding, and the cells of notebooks."""
