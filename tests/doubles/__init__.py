"""Stand-ins: for services that tests must not contact, for repositories and for corpora."""
