"""What Python's grammar says about the text around the cursor, which is rarely valid."""
