"""Typing replayed through the real server: what a user would see, and how soon.

``typing_tasks`` chooses what to type, ``typist`` decides which key to press, ``buffer`` is the
editor's text, ``lsp_client`` runs the server and talks to it, and ``session`` brings them together
and records ``session_events``. ``replay_metrics`` and ``replay_page`` evaluate the records.
"""
