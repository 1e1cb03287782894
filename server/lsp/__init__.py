"""The Language Server Protocol: the only room, with ``server.__main__``, that knows pygls.

Handlers are coroutines; the model runs in a process of its own, never on the event loop. Documents
are our own (pygls' split lines at form feeds too), and positions are converted here and nowhere
else. Every request gets an answer: what cannot be served is an empty list, what cannot be
understood an InvalidParams error, never a traceback. stdout belongs to the protocol, and users'
text is logged at DEBUG only.
"""
