"""The sandboxed judge: runs untrusted programs against their tests.

``inside`` runs within the sandbox; all other modules run on the host.
"""
