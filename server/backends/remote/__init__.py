"""One of our own artifacts behind a server of others: as much as possible stays with the client."""
