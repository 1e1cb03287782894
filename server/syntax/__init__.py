"""What Python's grammar says of the text around the cursor: broken as it usually is while typed."""
