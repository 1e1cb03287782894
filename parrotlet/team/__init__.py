"""``parrotlet train``: from repositories to a model, the whole way."""
