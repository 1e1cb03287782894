"""The sandboxed judge. ``inside`` runs within the sandbox, all other modules on the host."""
