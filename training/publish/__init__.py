"""Publishing on the Hugging Face Hub: models while they train, and corpora.

``publisher`` is what the training loop calls, ``__main__`` what people call. What waits to be sent
stands on disk (``outbox``), ``sending`` turns it into commits, and ``hub`` alone knows the Hub's
client. Nothing here reads or writes optimiser states.
"""
