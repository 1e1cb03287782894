"""The Language Server Protocol: the only room, with ``server.__main__``, that knows pygls.

A keystroke: ``protocol`` receives the change and ``features`` the request; ``inline_completion``
turns it into a request for the service, with ``documents`` for the text, ``insertion`` for
positions and ranges, ``battery`` and ``workspace_context``. ``server`` joins the parts;
``configuration`` holds the settings; ``status_reporter``, ``progress`` and ``health`` report to the
client; ``adaptation`` follows what adapts the model to the workspace.

Handlers are coroutines, and the model never runs on the event loop. Positions are converted here
and nowhere else. Every request gets an answer: an empty list if nothing can be suggested, an
InvalidParams error for malformed parameters, never a traceback. stdout belongs to the protocol, and
users' text is logged at DEBUG only.
"""
