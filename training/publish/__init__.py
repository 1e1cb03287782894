"""Publishes models, while they train, and corpora on the Hugging Face Hub.

The training loop calls ``publisher``, users call ``__main__``. Commits are queued on disk
(``outbox``) and sent by ``sender``; only ``hub`` uses the Hub's client. Optimiser states are
published only with ``publish.training_state``.
"""
