"""Who writes samples: the completer that users get, other models, a server; all by one protocol."""
