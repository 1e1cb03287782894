"""The completer in a process of its own, so that what kills it does not kill the server."""
