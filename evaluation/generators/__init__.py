"""Who generates samples: the completer that users get, other models, servers; one protocol."""
