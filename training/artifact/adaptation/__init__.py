"""Where an adapted artifact comes from."""
