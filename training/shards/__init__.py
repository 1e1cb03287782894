"""Documents as blocks of tokens: made once, read in any order."""
