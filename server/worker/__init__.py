"""The completer in a process of its own, so that whatever kills it does not kill the server.

The server's end: ``service`` is what ``lsp`` talks to; it keeps ``pending_requests`` and has
``supervisor`` run the process through ``host``. The worker's end: ``request_loop`` and
``debounce``. ``messages`` and ``codec`` belong to both.
"""
