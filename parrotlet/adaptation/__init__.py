"""``parrotlet adapt`` and ``parrotlet models``: a model of one's own repository."""
