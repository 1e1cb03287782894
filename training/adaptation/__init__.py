"""Plans how a model is adapted to a repository: which files, how many steps, and at what rates.

``python -m training.adaptation`` writes the configs of the corpus and of the run; the commands that
everybody uses do the rest. Called by ``parrotlet adapt``.
"""
