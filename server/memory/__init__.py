"""What the user's own code says about the next token: ids and arrays only, no text, no files."""
