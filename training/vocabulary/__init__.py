"""How well a vocabulary fits the text it was learned on."""
