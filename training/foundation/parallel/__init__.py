"""Work on several cores: how many there are, and processes that use them."""
