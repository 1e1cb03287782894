"""Models adapted to a workspace: which there are, which one to serve, and how one is made.

An adaptation runs in a process of its own that outlives the editor (``parrotlet adapt``). This room
starts it, reads what it reports and tells it to pause; it never trains. Everything is in files of
the user's data folder.
"""
