"""How weights are kept and multiplied: precision, integers, and the pages of memory they lie in."""
