"""How well a vocabulary fits text: measured, compared with another one, and reported."""
