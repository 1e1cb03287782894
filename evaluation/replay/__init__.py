"""Typing replayed through the real server: what a user gets, and how soon.

``tasks`` are what is typed, ``typist`` decides what is pressed, ``buffer`` is the editor's text,
``client`` speaks to the server, ``session`` brings them together; ``figures`` and ``page`` say what
came of it.
"""
